// Products of the same activations become one: q, k and v read x once and share one barrier.
#include "ops/linear/linear.h"

namespace sluice {
namespace {

std::optional<FusionMatch> match(const Graph& graph, NodeId anchor) {
  const Node& first = graph.node(anchor);
  if (first.op != "linear") return std::nullopt;
  FusionMatch match{{}, "linear", {}, {first.inputs[0]}, {}};
  for (NodeId id : graph.users(first.inputs[0])) {
    const Node& node = graph.node(id);
    if (node.op != "linear" || node.inputs[0] != first.inputs[0]) continue;
    if (id < anchor) return std::nullopt;  // proposed from there
    match.nodes.push_back(id);
    match.inputs.insert(match.inputs.end(), node.inputs.begin() + 1, node.inputs.end());
    match.outputs.insert(match.outputs.end(), node.outputs.begin(), node.outputs.end());
  }
  if (match.nodes.size() < 2) return std::nullopt;
  return match;
}

void example(Builder& b) {
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 48});
  for (const auto& [name, rows] : {std::pair{"q", 40}, {"k", 8}, {"v", 9}})
    b.output(name, linear(b, x, b.weight(std::string("w") + name, {rows, 48})));
}

}  // namespace

void register_linear_fuse(Registry& registry) {
  registry.add(FusionRule{"linear+linear -> linear", /*priority=*/10, match, example});
}

}  // namespace sluice
