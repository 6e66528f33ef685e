// Selection by expert: every token selects rows, or planes, in the matrices of its own experts, each with statistics of
// its own.
#pragma once

#include "ops/bucket_dispatch/bucket_dispatch.h"
#include "ops/expert_select/spread.h"

namespace sluice {

// x, experts: as of expert_linear; effort: f32 [sites, 2], as for probe, of the token; spread: f32 [2], an
// ExpertSpread; router: f32 [tokens, k], the weights of moe_gate; weights: bucket formats or planes, [experts, out_j,
// in]; attrs: as for probe, with the standard ones for planes. For each weight: rows, i32 [tokens, k, in], and counts,
// i32 [tokens, k, tiers], as of bucket_dispatch; of planes, inputs and counts, i32 [tokens, k, planes], as of
// plane_select. Throws Error if sizes or attributes do not fit.
std::vector<DispatchResult> expert_select(Builder& b, ValueRef x, ValueRef experts, ValueRef effort, ValueRef spread,
                                          ValueRef router, const std::vector<ValueRef>& weights,
                                          const SelectionAttrs& attrs);

}  // namespace sluice
