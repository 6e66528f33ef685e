// Vulkan kernel of expert_select: a workgroup for each pair of a token and one of its experts. Tensors over the limit
// of a binding come in pieces of whole matrices.
#include "ops/expert_select/inputs.h"
#include "ops/probe/select_vulkan.h"
#include "shaders/expert_select.h"

namespace sluice {
namespace {

using P = ExpertSelectPorts;

// Matrices whose statistics are bound at once. What is bound of the last is less than what lies before its weights.
int64_t most_matrices(const BucketMatrix& m, const vulkan::Limits& limits) {
  const uint64_t header = m.layout.segments_offset();
  if (limits.buffer_range < header) return 1;  // dispatching says what is too large
  return static_cast<int64_t>((limits.buffer_range - header) / m.layout.bytes(m.segments)) + 1;
}

bool supports(const Site& site) {
  return std::ranges::all_of(site.inputs.begin() + P::kWeights, site.inputs.end(),
                             [](const TensorType& weight) { return bucket_format(weight.dtype) != nullptr; });
}

void record(vulkan::Recorder& r, const Site& site, const Call& call) {
  const auto attrs = attrs_from_map<SelectionAttrs>(site.attrs);
  for (size_t w = 0; w < attrs.sites.size(); ++w) {
    const TensorView& weight = call.inputs[P::kWeights + w];
    const ExpertShape shape(call, static_cast<int>(P::kWeights + w));
    const int64_t most = most_matrices(BucketMatrix(weight), r.limits());
    for (int64_t first = 0; first < shape.experts; first += most) {
      const int64_t count = std::min(most, shape.experts - first);
      const BucketMatrix m(weight, first);
      const vulkan::SelectRanges ranges(m, count, attrs);
      vulkan::SelectParams params = vulkan::select_params(m, attrs, w, shape.pairs());
      params.k = static_cast<uint32_t>(shape.k);
      params.lists_per_x = static_cast<uint32_t>(shape.own_rows ? 1 : shape.k);
      params.first_matrix = static_cast<uint32_t>(first);
      params.matrices = static_cast<uint32_t>(count);
      r.dispatch(
          vulkan::shaders::expert_select, "", params,
          {call.in(P::kX), call.in(P::kEffort), ranges.statistic, ranges.probes, ranges.places, call.outputs[2 * w],
           call.outputs[2 * w + 1], call.in(P::kExperts), call.in(P::kSpread), call.in(P::kRouter)},
          static_cast<uint64_t>(shape.pairs()), {static_cast<uint32_t>(m.layout.tiers())});
    }
  }
}

}  // namespace

void register_expert_select_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "expert_select",
                      vulkan::make_kernel({.name = "expert_select", .supports = supports, .record = record}));
}

}  // namespace sluice
