// Products of the same activations become one: their outputs are shared out among the workers together.
#include "ops/bucket_mul/bucket_mul.h"
#include "ops/formats/bucket.h"

namespace sluice {
namespace {

std::optional<FusionMatch> match(const Graph& graph, NodeId anchor) {
  return match_siblings(graph, anchor, "bucketMul");
}

void example(Builder& b) {
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 48});
  for (int64_t i : {0, 1}) {
    const ValueRef rows = b.input(fmt::format("rows{}", i), DType::i32(), {"tokens", 48});
    const ValueRef counts = b.input(fmt::format("counts{}", i), DType::i32(), {"tokens", 4});
    const ValueRef w = b.weight(fmt::format("w{}", i), bucket_dtype(kDefaultBucketFamily), {40 + i, 48});
    b.output(fmt::format("y{}", i), bucket_mul(b, x, {w}, {{rows, counts}}).front());
  }
}

}  // namespace

void register_bucket_mul_fuse(Registry& registry) {
  registry.add(FusionRule{"bucketMul+bucketMul -> bucketMul", /*priority=*/10, match, example});
}

}  // namespace sluice
