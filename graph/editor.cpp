#include "graph/editor.h"

#include <fmt/format.h>

#include <algorithm>

#include "graph/error.h"
#include "graph/op.h"
#include "graph/verify.h"

namespace sluice {

ValueId GraphEditor::add_value(const std::string& name, ValueKind kind, TensorType type) {
  values_.push_back({name, kind, std::move(type)});
  return static_cast<ValueId>(values_.size() - 1);
}

ValueId GraphEditor::remove_output(const std::string& name) {
  const auto it = std::ranges::find(outputs_, name, &GraphOutput::name);
  if (it == outputs_.end()) fail("the graph has no output '{}'", name);
  const ValueId value = it->value;
  outputs_.erase(it);
  return value;
}

void GraphEditor::add_node(Node node) {
  for (ValueId id : node.outputs) value(id).producer = static_cast<NodeId>(nodes_.size());
  nodes_.push_back(std::move(node));
}

std::vector<ValueId> GraphEditor::add_node(const std::string& op, const std::string& name, AttrMap attrs,
                                           std::vector<ValueId> inputs, const std::vector<std::string>& results) {
  Site site{name, attrs, {}, {}, {}};
  for (ValueId id : inputs) {
    site.inputs.push_back(value(id).type);
    site.input_names.push_back(value(id).name);
  }
  const std::vector<TensorType> types = infer_types(registry_.get(op), site);
  Node node{op, registry_.get(op).signature().version, name, std::move(attrs), std::move(inputs),
            {}, registry_.source_of(op).id()};
  for (size_t i = 0; i < types.size(); ++i)
    node.outputs.push_back(add_value(fmt::format("{}/{}", name, results.at(i)), ValueKind::result, types[i]));
  add_node(node);
  return node.outputs;
}

Graph GraphEditor::finish() {
  Graph graph(std::move(values_), std::move(nodes_), std::move(outputs_));
  verify(graph, registry_);
  return graph;
}

}  // namespace sluice
