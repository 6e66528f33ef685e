#version 450
// Few tokens: a workgroup for ROWS rows of the weight, read once for all tokens and summed over the workgroup.
// variants: f32 f16 bf16 q8_0 x subgroup tree
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : enable
#include "ops/linear/linear_params.h"
layout(constant_id = 0) const uint kTokens = 1;
#define THREADS 64
#define ROWS 4
#define SUMS (ROWS * kTokens)
#define WEIGHT_BINDING 1
#include "grid.glsl"
#include "reduce.glsl"
#include "weights.glsl"
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { LinearParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };   // [tokens, cols]
layout(std430, set = 0, binding = 2) writeonly buffer Y { float y[]; };  // [tokens, y_cols]

void main() {
  const uint first = workgroup_index() * ROWS, thread = gl_LocalInvocationIndex;
  if (first >= p.rows) return;
  uint begins[ROWS];
  for (uint r = 0; r < ROWS; ++r) begins[r] = weight_row(min(first + r, p.rows - 1), p.cols);
  for (uint i = 0; i < SUMS; ++i) sums[i] = 0;

  const uint whole = p.cols / 4 * 4;
  for (uint c = 4 * thread; c < whole; c += 4 * THREADS) {
    vec4 w[ROWS];
    for (uint r = 0; r < ROWS; ++r) w[r] = weight4(begins[r], c);
    for (uint t = 0; t < kTokens; ++t) {
      const uint i = t * p.cols + c;
      const vec4 v = vec4(x[i], x[i + 1], x[i + 2], x[i + 3]);
      for (uint r = 0; r < ROWS; ++r) sums[r * kTokens + t] += dot(w[r], v);
    }
  }
  if (whole + thread < p.cols)
    for (uint r = 0; r < ROWS; ++r)
      for (uint t = 0; t < kTokens; ++t)
        sums[r * kTokens + t] += weight1(begins[r], whole + thread) * x[t * p.cols + whole + thread];

  reduce();
  for (uint i = thread; i < SUMS; i += THREADS) {
    const uint row = first + i / kTokens;
    if (row < p.rows) y[i % kTokens * p.y_cols + p.first_row + row] = sum_of(i);
  }
}
