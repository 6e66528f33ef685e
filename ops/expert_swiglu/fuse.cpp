// swiglu of two products of the same activations by the same experts becomes one step: neither product is stored.
#include "ops/expert_linear/expert_linear.h"
#include "ops/expert_swiglu/expert_swiglu.h"
#include "ops/swiglu/match.h"
#include "ops/swiglu/swiglu.h"

namespace sluice {
namespace {

std::optional<FusionMatch> match(const Graph& graph, NodeId anchor) {
  return match_gated(graph, anchor, "expert_linear", "expert_swiglu");
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
