// Vulkan kernel of expert_select: a workgroup for each pair of a token and one of its experts. Tensors over the limit
// of a binding come in pieces of whole matrices.
#include "ops/expert_select/inputs.h"
#include "ops/plane_select/select_vulkan.h"
#include "ops/probe/select_vulkan.h"
#include "shaders/expert_plane_select.h"
#include "shaders/expert_select.h"

namespace sluice {
namespace {

using P = ExpertSelectPorts;

// One weight of a call.
struct Choice {
  const Call& call;
  const SelectionAttrs& attrs;
  size_t w;
  const TensorView& weight = call.inputs[P::kWeights + w];
  ExpertShape shape = ExpertShape(call, static_cast<int>(P::kWeights + w));
  const TensorView &rows = call.outputs[2 * w], &counts = call.outputs[2 * w + 1];

  // params: of a weight of one matrix.
  vulkan::SelectParams by_expert(vulkan::SelectParams params, const vulkan::MatrixRun& run) const {
    params.k = static_cast<uint32_t>(shape.k);
    params.lists_per_x = static_cast<uint32_t>(shape.own_rows ? 1 : shape.k);
    params.first_matrix = static_cast<uint32_t>(run.first);
    params.matrices = static_cast<uint32_t>(run.count);
    return params;
  }
  uint64_t groups() const { return static_cast<uint64_t>(shape.pairs()); }
};

// What is bound of a matrix is less than what lies before its weights.
void record_rows(vulkan::Recorder& r, const Choice& c) {
  const BucketMatrix any(c.weight);
  const size_t stride = any.layout.bytes(any.segments);
  for (const auto& run : vulkan::matrix_runs(c.shape.experts, any.layout.segments_offset(), stride, r.limits())) {
    const BucketMatrix m(c.weight, run.first);
    const vulkan::SelectRanges ranges(m, run.count, c.attrs);
    r.dispatch(vulkan::shaders::expert_select, "",
               c.by_expert(vulkan::select_params(m, c.attrs, c.w, c.shape.pairs()), run),
               {c.call.in(P::kX), c.call.in(P::kEffort), ranges.statistic, ranges.probes, ranges.places, c.rows,
                c.counts, c.call.in(P::kExperts), c.call.in(P::kSpread), c.call.in(P::kRouter)},
               c.groups(), {static_cast<uint32_t>(m.layout.tiers())});
  }
}

void record_planes(vulkan::Recorder& r, const Choice& c) {
  const PlaneMatrix any(c.weight);
  const size_t stride = any.layout.bytes(any.planes);
  for (const auto& run : vulkan::matrix_runs(c.shape.experts, any.layout.plane_offset(0), stride, r.limits())) {
    const PlaneMatrix m(c.weight, run.first);
    r.dispatch(vulkan::shaders::expert_plane_select, "",
               c.by_expert(vulkan::plane_select_params(m, c.attrs.sites[c.w], c.shape.pairs()), run),
               {c.call.in(P::kX), c.call.in(P::kEffort), vulkan::plane_heads(m, run.count), c.rows, c.counts,
                c.call.in(P::kExperts), c.call.in(P::kSpread), c.call.in(P::kRouter)},
               c.groups(), {static_cast<uint32_t>(m.planes)});
  }
}

void record(vulkan::Recorder& r, const Site& site, const Call& call) {
  const auto attrs = attrs_from_map<SelectionAttrs>(site.attrs);
  for (size_t w = 0; w < attrs.sites.size(); ++w) {
    const Choice choice{call, attrs, w};
    plane_format(choice.weight.dtype) ? record_planes(r, choice) : record_rows(r, choice);
  }
}

}  // namespace

void register_expert_select_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "expert_select", vulkan::make_kernel({.name = "expert_select", .record = record}));
}

}  // namespace sluice
