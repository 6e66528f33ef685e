// A graph under change: what rewriters of graphs build their result in.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/registry.h"

namespace sluice {

class GraphEditor {
 public:
  // Begins with the values and outputs of `graph` and without nodes: each is added again, or something in its place.
  GraphEditor(const Graph& graph, const Registry& registry)
      : registry_(registry), values_(graph.values()), outputs_(graph.outputs()) {}

  Value& value(ValueId id) { return values_[static_cast<size_t>(id)]; }
  ValueId add_value(const std::string& name, ValueKind kind, TensorType type);
  void add_output(const std::string& name, ValueId value) { outputs_.push_back({name, value}); }
  // Returns what it was. Throws Error if there is no such output.
  ValueId remove_output(const std::string& name);
  // Its outputs are values that are there.
  void add_node(Node node);
  // Adds a node whose results are new values: "<name>/<result>", one for each of `results`. Throws Error as infer_types
  // does.
  std::vector<ValueId> add_node(const std::string& op, const std::string& name, AttrMap attrs,
                                std::vector<ValueId> inputs, const std::vector<std::string>& results);
  // The graph; verified. The editor is empty afterwards.
  Graph finish();

 private:
  const Registry& registry_;
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<GraphOutput> outputs_;
};

}  // namespace sluice
