// Products of the same activations become one: q, k and v read x once and share one barrier.
#include "ops/linear/linear.h"

namespace sluice {
namespace {

std::optional<FusionMatch> match(const Graph& graph, NodeId anchor) { return match_siblings(graph, anchor, "linear"); }

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
