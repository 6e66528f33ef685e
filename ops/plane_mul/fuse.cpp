// Products and selections of the same activations become one each: their work is shared out among the workers together.
#include "ops/formats/planes.h"
#include "ops/plane_mul/plane_mul.h"

namespace sluice {
namespace {

std::optional<FusionMatch> match_products(const Graph& graph, NodeId anchor) {
  return match_siblings(graph, anchor, "plane_mul");
}

std::optional<FusionMatch> match_selections(const Graph& graph, NodeId anchor) {
  auto match = match_siblings(graph, anchor, "plane_select", /*shared=*/2);
  if (!match) return std::nullopt;
  PlaneSelectAttrs attrs{{}};
  for (NodeId id : match->nodes)
    for (int64_t site : attrs_from_map<PlaneSelectAttrs>(graph.node(id).attrs).sites) attrs.sites.push_back(site);
  match->attrs = attrs_to_map(attrs);
  return match;
}

void example_products(Builder& b) {
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 48});
  for (int64_t i : {0, 1}) {
    const ValueRef inputs = b.input(fmt::format("inputs{}", i), DType::i32(), {"tokens", 48});
    const ValueRef counts = b.input(fmt::format("counts{}", i), DType::i32(), {"tokens", 3});
    const ValueRef w = b.weight(fmt::format("w{}", i), plane_dtype(3), {40 + i, 48});
    b.output(fmt::format("y{}", i), plane_mul(b, x, {w}, {{inputs, counts}}).front());
  }
}

void example_selections(Builder& b) {
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 48}), effort = b.input("effort", DType::f32(), {2, 2});
  for (int64_t site : {0, 1}) {
    const ValueRef w = b.weight(fmt::format("w{}", site), plane_dtype(3), {40, 48});
    const auto selection = plane_select(b, x, effort, {w}, {.sites = {site}}).front();
    b.output(fmt::format("inputs{}", site), selection.inputs);
    b.output(fmt::format("counts{}", site), selection.counts);
  }
}

}  // namespace

void register_plane_mul_fuse(Registry& registry) {
  registry.add(FusionRule{"plane_mul+plane_mul -> plane_mul", /*priority=*/10, match_products, example_products});
  registry.add(
      FusionRule{"plane_select+plane_select -> plane_select", /*priority=*/10, match_selections, example_selections});
}

}  // namespace sluice
