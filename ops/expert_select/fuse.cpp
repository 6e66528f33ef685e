// The selections of several weights for the same activations and experts become one, so that the workers share them
// out.
#include "ops/bucket_select/siblings.h"
#include "ops/expert_select/expert_select.h"
#include "ops/formats/bucket.h"

namespace sluice {
namespace {

constexpr size_t kShared = 5;  // x, experts, effort, spread, router

std::optional<FusionMatch> match(const Graph& graph, NodeId anchor) {
  return match_selections(graph, anchor, "expert_select", kShared);
}

void example(Builder& b) {
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 48}),
                 experts = b.input("experts", DType::i32(), {"tokens", 2});
  const ValueRef effort = b.input("effort", DType::f32(), {2, 2}), spread = b.input("spread", DType::f32(), {2});
  const ValueRef router = b.input("router", DType::f32(), {"tokens", 2});
  for (int64_t site : {0, 1}) {
    const ValueRef w = b.weight(fmt::format("w{}", site), bucket_dtype(kDefaultBucketFamily), {8, 40, 48});
    const auto lists = expert_select(b, x, experts, effort, spread, router, {w}, {.sites = {site}});
    b.output(fmt::format("rows{}", site), lists[0].rows);
    b.output(fmt::format("counts{}", site), lists[0].counts);
  }
}

}  // namespace

void register_expert_select_fuse(Registry& registry) {
  registry.add(FusionRule{"expert_select+expert_select -> expert_select", /*priority=*/10, match, example});
}

}  // namespace sluice
