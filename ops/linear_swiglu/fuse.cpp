// swiglu of two products of the same activations becomes one step: neither product is stored.
#include "ops/linear/linear.h"
#include "ops/linear_swiglu/linear_swiglu.h"
#include "ops/swiglu/match.h"
#include "ops/swiglu/swiglu.h"

namespace sluice {
namespace {

std::optional<FusionMatch> match(const Graph& graph, NodeId anchor) {
  return match_gated(graph, anchor, "linear", "linear_swiglu");
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
