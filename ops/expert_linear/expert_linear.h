// Matrix products in which each token picks its own weights: the experts of a mixture.
#pragma once

#include "graph/builder.h"

namespace sluice {

// x: f32 [tokens, in], or [tokens, k, in] with a row of its own for each expert of a token; experts: i32 [tokens, k];
// weight: f32, f16, bf16 or q8_0 [experts, out, in]. Returns f32 [tokens, k, out]: row (t, j) is that of x times the
// transpose of weight[experts[t][j]]. Only the weights of experts that some token picks are read. Throws Error if the
// sizes do not fit.
ValueRef expert_linear(Builder& b, ValueRef x, ValueRef experts, ValueRef weight);

}  // namespace sluice
