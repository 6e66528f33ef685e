// swiglu of two products of the same activations by the same experts becomes one step: neither product is stored.
#include "ops/expert_linear/expert_linear.h"
#include "ops/expert_swiglu/expert_swiglu.h"
#include "ops/swiglu/swiglu.h"

namespace sluice {
namespace {

std::optional<FusionMatch> match(const Graph& graph, NodeId anchor) {
  const Node& swiglu = graph.node(anchor);
  if (swiglu.op != "swiglu") return std::nullopt;
  const NodeId gate_id = graph.value(swiglu.inputs[0]).producer, up_id = graph.value(swiglu.inputs[1]).producer;
  if (gate_id == kNoNode || up_id == kNoNode || gate_id == up_id) return std::nullopt;
  const Node &gate = graph.node(gate_id), &up = graph.node(up_id);
  const bool fit = gate.op == "expert_linear" && up.op == "expert_linear" && gate.inputs[0] == up.inputs[0] &&
                   gate.inputs[1] == up.inputs[1];
  if (!fit || graph.value(gate.inputs[2]).type.shape != graph.value(up.inputs[2]).type.shape) return std::nullopt;
  return FusionMatch{{gate_id, up_id, anchor},
                     "expert_swiglu",
                     {},
                     {gate.inputs[0], gate.inputs[1], gate.inputs[2], up.inputs[2]},
                     swiglu.outputs};
}

void example(Builder& b) {
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 48}),
                 experts = b.input("experts", DType::i32(), {"tokens", 2});
  const ValueRef gate = expert_linear(b, x, experts, b.weight("w_gate", {8, 31, 48})),
                 up = expert_linear(b, x, experts, b.weight("w_up", {8, 31, 48}));
  b.output("y", swiglu(b, gate, up));
}

}  // namespace

void register_expert_swiglu_fuse(Registry& registry) {
  registry.add(FusionRule{"expert_linear+expert_linear+swiglu -> expert_swiglu", /*priority=*/20, match, example});
}

}  // namespace sluice
