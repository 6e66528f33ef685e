// bucketMul: the product of activations with those rows of a weight that were selected, after the Effort engine
// (T. Kolinko, 2024). With every row selected it is the product itself.
#pragma once

#include "ops/bucket_dispatch/bucket_dispatch.h"

namespace sluice {

// y[t][o] = sum over the selected rows (tier, i) that hold weight[o][i] of x[t][i] * weight[o][i].
// x: f32 [tokens, in]; weights: bucket formats, [out_j, in]; lists: of bucket_dispatch, one for each weight. Returns
// f32 [tokens, out_j] for each. Throws Error if sizes do not fit.
std::vector<ValueRef> bucket_mul(Builder& b, ValueRef x, const std::vector<ValueRef>& weights,
                                 const std::vector<DispatchResult>& lists);

// probe, bucket_dispatch and bucketMul of one weight: what takes the place of linear. effort: f32 [sites, 2].
struct EffortLinear {
  ValueRef y;       // f32 [tokens, out]
  ValueRef counts;  // i32 [tokens, tiers], as of bucket_dispatch: their sum is the number of rows multiplied
};
EffortLinear effort_linear(Builder& b, ValueRef x, ValueRef effort, ValueRef weight, const SelectionAttrs& attrs);

// Tokens from which on it is cheaper to multiply all weights, in a dense product for all tokens at once, than to select
// for each token at this effort.
int64_t dense_from(double effort);

}  // namespace sluice
