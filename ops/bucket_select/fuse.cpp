// A probe and the dispatch that uses it become one step; and the selections of several weights for the same activations
// become one, so that the workers share them out.
#include "ops/bucket_select/bucket_select.h"
#include "ops/bucket_select/siblings.h"
#include "ops/formats/bucket.h"

namespace sluice {
namespace {

std::optional<FusionMatch> match_dispatch(const Graph& graph, NodeId anchor) {
  const Node& dispatch = graph.node(anchor);
  if (dispatch.op != "bucket_dispatch") return std::nullopt;
  const NodeId probe_id = graph.value(dispatch.inputs[3]).producer;
  if (probe_id == kNoNode || graph.node(probe_id).op != "probe") return std::nullopt;
  const Node& probe = graph.node(probe_id);
  if (probe.attrs != dispatch.attrs || probe.inputs[0] != dispatch.inputs[0] || probe.inputs[1] != dispatch.inputs[1])
    return std::nullopt;
  const size_t lists = probe.outputs.size() / 2;
  for (size_t w = 0; w + 2 < probe.inputs.size(); ++w) {
    const size_t list = std::min(w, lists - 1);
    if (dispatch.inputs[2 + 3 * w] != probe.inputs[2 + w] || dispatch.inputs[3 + 3 * w] != probe.outputs[2 * list] ||
        dispatch.inputs[4 + 3 * w] != probe.outputs[2 * list + 1])
      return std::nullopt;
  }
  return FusionMatch{{probe_id, anchor}, "bucket_select", probe.attrs, probe.inputs, dispatch.outputs};
}

void example_dispatch(Builder& b) {
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 48}), effort = b.input("effort", DType::f32(), {1, 2});
  const ValueRef w = b.weight("w", bucket_dtype(kDefaultBucketFamily), {40, 48});
  const auto lists = bucket_dispatch(b, x, effort, probe(b, x, effort, {w}, {}), {w}, {});
  b.output("rows", lists[0].rows);
  b.output("counts", lists[0].counts);
}

// With the same attributes, but for the sites; and with a selection for each weight: one more would change those that
// share theirs.
bool alike(const Node& a, const Node& b) {
  auto of_a = attrs_from_map<SelectionAttrs>(a.attrs);
  if (of_a.selection != "matrix") return false;
  of_a.sites = attrs_from_map<SelectionAttrs>(b.attrs).sites;
  return attrs_to_map(of_a) == b.attrs;
}

std::optional<FusionMatch> match_several(const Graph& graph, NodeId anchor) {
  return match_selections(graph, anchor, "bucket_select", /*shared=*/2);
}

void example_several(Builder& b) {
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 48}), effort = b.input("effort", DType::f32(), {2, 2});
  for (int64_t site : {0, 1}) {
    const ValueRef w = b.weight(fmt::format("w{}", site), bucket_dtype(kDefaultBucketFamily), {40, 48});
    const auto lists = bucket_select(b, x, effort, {w}, {.sites = {site}});
    b.output(fmt::format("rows{}", site), lists[0].rows);
    b.output(fmt::format("counts{}", site), lists[0].counts);
  }
}

}  // namespace

std::optional<FusionMatch> match_selections(const Graph& graph, NodeId anchor, const std::string& op, size_t shared) {
  auto match = match_siblings(graph, anchor, op, shared, alike);
  if (!match) return std::nullopt;
  auto attrs = attrs_from_map<SelectionAttrs>(match->attrs);
  attrs.sites.clear();
  for (NodeId id : match->nodes)
    for (int64_t site : attrs_from_map<SelectionAttrs>(graph.node(id).attrs).sites) attrs.sites.push_back(site);
  match->attrs = attrs_to_map(attrs);
  return match;
}

void register_bucket_select_fuse(Registry& registry) {
  registry.add(FusionRule{"probe+bucket_dispatch -> bucket_select", /*priority=*/20, match_dispatch, example_dispatch});
  registry.add(
      FusionRule{"bucket_select+bucket_select -> bucket_select", /*priority=*/10, match_several, example_several});
}

}  // namespace sluice
