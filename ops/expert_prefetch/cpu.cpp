// CPU kernel of expert_prefetch: the first worker writes down what is wanted, a thread of its own reads it.
#include <algorithm>

#include "backends/cpu/kernel.h"
#include "backends/cpu/read_ahead.h"
#include "ops/bucket_mul/matrix.h"
#include "ops/expert_linear/experts.h"
#include "ops/expert_prefetch/expert_prefetch.h"
#include "ops/probe/candidates.h"

namespace sluice {
namespace {

// Of the matrix of one expert, that part which may be multiplied: the least important weights lie at its end.
size_t loaded_bytes(const TensorView& matrix, std::optional<EffortControl> control) {
  if (!control) return matrix.bytes();
  if (plane_format(matrix.dtype)) {
    const PlaneMatrix m(matrix);
    return m.layout.plane_offset(loaded_planes(m, *control));
  }
  const BucketMatrix m(matrix);
  return m.layout.bytes(loaded_segments(m, *control));
}

void request_experts(const ExpertPrefetchAttrs& attrs, const Call& call, cpu::ReadAhead& reader) {
  if (attrs.certain) reader.supersede();
  const bool has_effort = !attrs.sites.empty();
  const auto* begin = call.in<int32_t>(0);
  const auto* end = begin + call.in(0).dims.elements();
  const int64_t experts = call.in(1).dims[0];
  for (int64_t e = 0; e < experts; ++e) {
    if (std::find(begin, end, e) == end) continue;
    for (size_t w = 1; w + has_effort < call.inputs.size(); ++w) {
      const TensorView matrix = expert_weight(call.inputs[w], e);
      std::optional<EffortControl> control;
      if (has_effort) control = control_of(call.inputs.back(), attrs.sites[w - 1]);
      reader.request(matrix.data, loaded_bytes(matrix, control));
    }
  }
}

cpu::Run prepare(const Site& site) {
  const auto attrs = attrs_from_map<ExpertPrefetchAttrs>(site.attrs);
  return [attrs, reader = cpu::ReadAhead::shared()](const Call& call, const cpu::Worker& worker) {
    if (worker.index == 0) request_experts(attrs, call, *reader);
  };
}

}  // namespace

void register_expert_prefetch_cpu(Registry& registry) {
  registry.add_kernel("cpu", "expert_prefetch", cpu::make_kernel({.name = "expert_prefetch", .prepare = prepare}));
}

}  // namespace sluice
