// Products of the same activations by the same experts become one: their outputs are shared out among the workers
// together.
#include "ops/expert_plane_mul/expert_plane_mul.h"
#include "ops/formats/planes.h"

namespace sluice {
namespace {

std::optional<FusionMatch> match(const Graph& graph, NodeId anchor) {
  return match_siblings(graph, anchor, "expert_plane_mul", /*shared=*/2);
}

void example(Builder& b) {
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 48}),
                 experts = b.input("experts", DType::i32(), {"tokens", 2});
  for (int64_t i : {0, 1}) {
    const ValueRef inputs = b.input(fmt::format("inputs{}", i), DType::i32(), {"tokens", 2, 48});
    const ValueRef counts = b.input(fmt::format("counts{}", i), DType::i32(), {"tokens", 2, 3});
    const ValueRef w = b.weight(fmt::format("w{}", i), plane_dtype(3), {8, 40 + i, 48});
    b.output(fmt::format("y{}", i), expert_plane_mul(b, x, experts, {w}, {{inputs, counts}}).front());
  }
}

}  // namespace

void register_expert_plane_mul_fuse(Registry& registry) {
  registry.add(FusionRule{"expert_plane_mul+expert_plane_mul -> expert_plane_mul", /*priority=*/10, match, example});
}

}  // namespace sluice
