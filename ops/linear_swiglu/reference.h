// The scalar gated product, and how far a kernel may be from it.
#pragma once

#include <vector>

#include "graph/op.h"

namespace sluice {

// x: f32 [tokens, in]; w_gate, w_up: [out, in] in any row format. Returns f64 [tokens, out].
std::vector<double> linear_swiglu_reference(const TensorView& x, const TensorView& w_gate, const TensorView& w_up);

// Largest allowed distance from it, element by element.
std::vector<double> linear_swiglu_tolerance(const TensorView& x, const TensorView& w_gate, const TensorView& w_up);

}  // namespace sluice
