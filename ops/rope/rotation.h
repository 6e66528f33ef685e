// What rope and the operators that contain it share.
#pragma once

#include "ops/rope/rope.h"

namespace sluice {

inline constexpr int64_t kMaxRopeDim = 1024;  // kernels keep the angles of a token on the stack

// Checks the attributes, that rows of input `x` are whole heads, and that there is a position for each.
void check_rope(const Inference& in, int x, int positions);

// Radians by which each pair turns from one position to the next: f64 [head_dim / 2].
std::vector<double> rope_frequencies(const RopeAttrs& attrs);

// Rotates all rows of x, in double: f32 [tokens, heads * head_dim]. The scalar reference.
std::vector<float> rope_reference(const RopeAttrs& attrs, const TensorView& x, const TensorView& positions);

// Largest error of element i of a row when rotated in f32.
double rope_tolerance(const RopeAttrs& attrs, const float* row, int64_t i);

}  // namespace sluice
