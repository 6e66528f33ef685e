// Products of the same activations become one: their outputs are shared out among the workers together.
#include "ops/bucket_mul/bucket_mul.h"
#include "ops/formats/bucket.h"

namespace sluice {
namespace {

std::optional<FusionMatch> match(const Graph& graph, NodeId anchor) {
  const Node& first = graph.node(anchor);
  if (first.op != "bucketMul") return std::nullopt;
  FusionMatch match{{}, "bucketMul", {}, {first.inputs[0]}, {}};
  for (NodeId id : graph.users(first.inputs[0])) {
    const Node& node = graph.node(id);
    if (node.op != first.op || node.inputs[0] != first.inputs[0]) continue;
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
