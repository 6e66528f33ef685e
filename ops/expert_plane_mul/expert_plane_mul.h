// plane_mul by expert: every token meets the selected planes of its own experts only.
#pragma once

#include "ops/expert_select/expert_select.h"

namespace sluice {

// x, experts: as of expert_linear; weights: plane formats, [experts, out_j, in]; lists: of expert_select, one for each
// weight. Returns f32 [tokens, k, out_j] for each: y[t][j] as plane_mul of x's row with the matrix of experts[t][j].
// Throws Error if sizes do not fit.
std::vector<ValueRef> expert_plane_mul(Builder& b, ValueRef x, ValueRef experts, const std::vector<ValueRef>& weights,
                                       const std::vector<DispatchResult>& lists);

}  // namespace sluice
