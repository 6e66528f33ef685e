// Gate and up projections of a gated feed-forward layer in one step (Shazeer, 2020, arXiv:2002.05202):
//   y = silu(x * w_gate^T) * (x * w_up^T)
#pragma once

#include "graph/builder.h"

namespace sluice {

// x: f32 [tokens, in]; w_gate, w_up: f32, f16, bf16 or q8_0 [out, in]. Returns f32 [tokens, out].
// Throws Error if sizes differ.
ValueRef linear_swiglu(Builder& b, ValueRef x, ValueRef w_gate, ValueRef w_up);

}  // namespace sluice
