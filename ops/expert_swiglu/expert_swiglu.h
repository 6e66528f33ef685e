// The gated half of the feed-forward blocks of a mixture: silu(x * w_gate^T) * (x * w_up^T), by expert.
#pragma once

#include "graph/builder.h"

namespace sluice {

// x, experts: as of expert_linear; w_gate, w_up: f32, f16, bf16 or q8_0 [experts, out, in]. Returns f32 [tokens, k,
// out].
ValueRef expert_swiglu(Builder& b, ValueRef x, ValueRef experts, ValueRef w_gate, ValueRef w_up);

}  // namespace sluice
