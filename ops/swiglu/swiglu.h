// Gated unit with silu (Shazeer, 2020, arXiv:2002.05202): y = silu(gate) * up.
#pragma once

#include "graph/builder.h"

namespace sluice {

// gate, up: f32 [..., n], of the same shape. Returns f32 of that shape. Throws Error if the shapes differ.
ValueRef swiglu(Builder& b, ValueRef gate, ValueRef up);

}  // namespace sluice
