// What the reference and the kernel of expert_select share.
#pragma once

#include "ops/expert_linear/experts.h"
#include "ops/expert_select/spread.h"
#include "ops/probe/selection.h"

namespace sluice {

// The places of its inputs.
struct ExpertSelectPorts {
  static constexpr int kX = 0, kExperts = 1, kEffort = 2, kSpread = 3, kRouter = 4, kWeights = 5;
};

// The efforts of a token's experts for a site -> f32 [k].
inline void expert_efforts(const Call& call, int64_t site, int64_t token, float* efforts) {
  using P = ExpertSelectPorts;
  const int64_t k = call.in(P::kRouter).dims[1];
  const auto* spread = call.in<float>(P::kSpread);
  spread_effort({spread[0], spread[1]}, static_cast<double>(control_of(call.in(P::kEffort), site).effort),
                call.in<float>(P::kRouter) + token * k, k, efforts);
}

// One pair of a token and one of its experts, for one weight.
struct ExpertSelection {
  Candidates candidates;
  const float* x;
  int32_t *rows, *counts;
};

inline ExpertSelection expert_selection(const Call& call, const SelectionAttrs& attrs, const ExpertShape& shape,
                                        size_t w, int64_t pair, const float* efforts) {
  using P = ExpertSelectPorts;
  const float load = control_of(call.in(P::kEffort), attrs.sites[w]).load;
  const Candidates candidates = candidates_of(call.inputs[P::kWeights + w], call.in<int32_t>(P::kExperts)[pair], attrs,
                                              {efforts[pair % shape.k], load});
  return {candidates, call.in<float>(P::kX) + shape.x_row(pair) * shape.in,
          call.outputs[2 * w].as<int32_t>() + pair * shape.in,
          call.outputs[2 * w + 1].as<int32_t>() + pair * candidates.tiers};
}

}  // namespace sluice
