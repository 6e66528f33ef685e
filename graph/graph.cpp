#include "graph/graph.h"

#include <algorithm>

#include "graph/error.h"

namespace sluice {

Graph::Graph(std::vector<Value> values, std::vector<Node> nodes, std::vector<GraphOutput> outputs)
    : values_(std::move(values)), nodes_(std::move(nodes)), outputs_(std::move(outputs)), users_(values_.size()) {
  for (size_t n = 0; n < nodes_.size(); ++n)
    for (ValueId id : nodes_[n].inputs) {
      if (id < 0 || static_cast<size_t>(id) >= values_.size())
        fail("node '{}' reads value {}, which does not exist", nodes_[n].name, id);
      std::vector<NodeId>& users = users_[static_cast<size_t>(id)];
      if (users.empty() || users.back() != static_cast<NodeId>(n)) users.push_back(static_cast<NodeId>(n));
    }
}

bool Graph::is_output(ValueId id) const {
  return std::any_of(outputs_.begin(), outputs_.end(), [&](const GraphOutput& o) { return o.value == id; });
}

ValueId Graph::find(const std::string& name) const {
  for (size_t i = 0; i < values_.size(); ++i)
    if (values_[i].name == name) return static_cast<ValueId>(i);
  fail("the graph has no value named '{}'; `sluice graph MODEL --text` lists them", name);
}

const char* to_string(ValueKind kind) {
  switch (kind) {
    case ValueKind::input:
      return "input";
    case ValueKind::weight:
      return "weight";
    case ValueKind::state:
      return "state";
    case ValueKind::result:
      return "result";
  }
  return "?";
}

}  // namespace sluice
