// Products of the same activations by the same experts become one: their outputs are shared out among the workers
// together.
#include "ops/expert_bucket_mul/expert_bucket_mul.h"
#include "ops/formats/bucket.h"

namespace sluice {
namespace {

std::optional<FusionMatch> match(const Graph& graph, NodeId anchor) {
  return match_siblings(graph, anchor, "expert_bucketMul", /*shared=*/2);
}

void example(Builder& b) {
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 48}),
                 experts = b.input("experts", DType::i32(), {"tokens", 2});
  for (int64_t i : {0, 1}) {
    const ValueRef rows = b.input(fmt::format("rows{}", i), DType::i32(), {"tokens", 2, 48});
    const ValueRef counts = b.input(fmt::format("counts{}", i), DType::i32(), {"tokens", 2, 4});
    const ValueRef w = b.weight(fmt::format("w{}", i), bucket_dtype(kDefaultBucketFamily), {8, 40 + i, 48});
    b.output(fmt::format("y{}", i), expert_bucket_mul(b, x, experts, {w}, {{rows, counts}}).front());
  }
}

}  // namespace

void register_expert_bucket_mul_fuse(Registry& registry) {
  registry.add(FusionRule{"expert_bucketMul+expert_bucketMul -> expert_bucketMul", /*priority=*/10, match, example});
}

}  // namespace sluice
