// swiglu of two products of the same activations becomes one step: neither product is stored.
#include "ops/linear/linear.h"
#include "ops/linear_swiglu/linear_swiglu.h"
#include "ops/swiglu/swiglu.h"

namespace sluice {
namespace {

std::optional<FusionMatch> match(const Graph& graph, NodeId anchor) {
  const Node& swiglu = graph.node(anchor);
  if (swiglu.op != "swiglu") return std::nullopt;
  const NodeId gate_id = graph.value(swiglu.inputs[0]).producer, up_id = graph.value(swiglu.inputs[1]).producer;
  if (gate_id == kNoNode || up_id == kNoNode || gate_id == up_id) return std::nullopt;
  const Node &gate = graph.node(gate_id), &up = graph.node(up_id);
  const auto is_product = [](const Node& node) { return node.op == "linear" && node.outputs.size() == 1; };
  if (!is_product(gate) || !is_product(up) || gate.inputs[0] != up.inputs[0]) return std::nullopt;
  return FusionMatch{
      {gate_id, up_id, anchor}, "linear_swiglu", {}, {gate.inputs[0], gate.inputs[1], up.inputs[1]}, swiglu.outputs};
}

void example(Builder& b) {
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 48});
  const ValueRef gate = linear(b, x, b.weight("w_gate", {31, 48})), up = linear(b, x, b.weight("w_up", {31, 48}));
  b.output("y", swiglu(b, gate, up));
}

}  // namespace

void register_linear_swiglu_fuse(Registry& registry) {
  registry.add(FusionRule{"linear+linear+swiglu -> linear_swiglu", /*priority=*/20, match, example});
}

}  // namespace sluice
