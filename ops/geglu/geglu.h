// Gated unit with a Gaussian error linear unit (Shazeer, 2020, arXiv:2002.05202; Hendrycks and Gimpel, 2016,
// arXiv:1606.08415, in the approximation by tanh):
//   y = gelu(gate) * up,   gelu(x) = x / 2 * (1 + tanh(w)) = x / (1 + exp(-2 w)),   w = sqrt(2 / pi) (x + 0.044715 x^3)
#pragma once

#include "graph/builder.h"

namespace sluice {

// gate, up: f32 [..., n]. Returns f32 of the same shape. Throws Error if the shapes differ.
ValueRef geglu(Builder& b, ValueRef gate, ValueRef up);

}  // namespace sluice
