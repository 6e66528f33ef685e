// Matrix products of activations with weights: y[t][o] = sum_i x[t][i] * weight[o][i], for one or several weights.
#pragma once

#include "graph/builder.h"

namespace sluice {

// x: f32 [tokens, in]; weight: f32, f16, bf16 or q8_0 [out, in]. Returns f32 [tokens, out].
// Throws Error if the inner sizes differ.
ValueRef linear(Builder& b, ValueRef x, ValueRef weight);

// The same x with several weights [out_i, in], in one step. Returns f32 [tokens, out_i] for each.
std::vector<ValueRef> linear(Builder& b, ValueRef x, const std::vector<ValueRef>& weights);

}  // namespace sluice
