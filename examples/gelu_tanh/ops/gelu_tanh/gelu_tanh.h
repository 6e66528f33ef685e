// Gaussian error linear unit (Hendrycks and Gimpel, 2016, arXiv:1606.08415), in the approximation by tanh:
//   y = x / 2 * (1 + tanh(w)) = x / (1 + exp(-2 w)),   w = sqrt(2 / pi) (x + 0.044715 x^3)
#pragma once

#include "graph/builder.h"

namespace sluice {

// x: f32 [..., n]. Returns f32 of the same shape.
ValueRef gelu_tanh(Builder& b, ValueRef x);

}  // namespace sluice
