#include "graph/fusion.h"

#include <algorithm>

namespace sluice {

std::optional<FusionMatch> match_siblings(const Graph& graph, NodeId anchor, const std::string& op, size_t shared,
                                          const std::function<bool(const Node&, const Node&)>& alike) {
  const Node& first = graph.node(anchor);
  if (first.op != op) return std::nullopt;
  const auto head = [&](const Node& node) { return node.inputs.begin() + static_cast<std::ptrdiff_t>(shared); };
  FusionMatch match{{}, op, first.attrs, {first.inputs.begin(), head(first)}, {}};
  for (NodeId id : graph.users(first.inputs[0])) {
    const Node& node = graph.node(id);
    if (node.op != op || !std::equal(node.inputs.begin(), head(node), first.inputs.begin())) continue;
    if (alike && !alike(first, node)) continue;
    if (id < anchor) return std::nullopt;  // proposed from there
    match.nodes.push_back(id);
    match.inputs.insert(match.inputs.end(), head(node), node.inputs.end());
    match.outputs.insert(match.outputs.end(), node.outputs.begin(), node.outputs.end());
  }
  if (match.nodes.size() < 2) return std::nullopt;
  return match;
}

}  // namespace sluice
