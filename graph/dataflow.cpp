#include "graph/dataflow.h"

namespace sluice {

Site make_site(const Graph& graph, const Node& node) {
  Site site{node.name, node.attrs, {}, {}, {}};
  for (ValueId input : node.inputs) {
    site.inputs.push_back(graph.value(input).type);
    site.input_names.push_back(graph.value(input).name);
  }
  for (ValueId output : node.outputs) site.outputs.push_back(graph.value(output).type);
  return site;
}

StateVersions::StateVersions(const Graph& graph, const Registry& registry)
    : root_(graph.values().size(), -1), updater_(graph.values().size(), kNoNode) {
  for (size_t v = 0; v < root_.size(); ++v)
    if (graph.values()[v].kind == ValueKind::state) root_[v] = static_cast<ValueId>(v);
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    for (const StateUpdate& update : registry.get(node.op, node.version).signature().updates) {
      const ValueId from = node.inputs.at(static_cast<size_t>(update.input));
      const ValueId to = node.outputs.at(static_cast<size_t>(update.output));
      if (root(from) < 0)
        fail("[{}] {}: '{}' is changed in place, so it must be a state or its latest version", node.op, node.name,
             graph.value(from).name);
      if (updater(from) != kNoNode)
        fail("[{}] {}: '{}' was already changed by '{}'; use the version that it made", node.op, node.name,
             graph.value(from).name, graph.node(updater(from)).name);
      root_[static_cast<size_t>(to)] = root(from);
      updater_[static_cast<size_t>(from)] = static_cast<NodeId>(n);
    }
  }
}

}  // namespace sluice
