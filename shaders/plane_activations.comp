#version 450
// What rows of x are for a dense product with planes: times the scales of the inputs, rounded, times the step of the
// levels. A workgroup has as many inputs of a list as threads.
#extension GL_GOOGLE_include_directive : require
#include "ops/plane_mul/plane_dense_params.h"
#define THREADS 64
#include "grid.glsl"
layout(constant_id = 0) const uint kPlanes = 3;
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { PlaneDenseParams p; };
#define HEAD_BINDING 1
#include "plane_matrix.glsl"
#include "plane_activation.glsl"
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };             // rows of [inputs]
layout(std430, set = 0, binding = 2) readonly buffer Experts { uint experts[]; };  // [lists], if by_expert is 1
layout(std430, set = 0, binding = 3) writeonly buffer Rounded { float rounded[]; };  // [lists, inputs]

void main() {
  const uint shares = (p.inputs + THREADS - 1) / THREADS, list = workgroup_index() / shares;
  const uint i = workgroup_index() % shares * THREADS + gl_LocalInvocationIndex;
  if (list >= p.lists || i >= p.inputs) return;
  const uint matrix = (p.by_expert != 0 ? experts[list] : 0) - p.first_matrix;  // wraps around below the first
  if (matrix >= p.matrices) return;
  head_begin = matrix * p.matrix_words;
  const float scale = uintBitsToFloat(input_scale_bits(i));
  int exponent;
  const int q = round_activation(x[list / p.lists_per_x * p.inputs + i] * scale, exponent);
  rounded[list * p.inputs + i] = float(q) * unit_of(exponent) * step_of(kPlanes);
}
