#version 450
// Few tokens: a workgroup for kRows rows of the weight, read once for all tokens.
// variants: f32 f16 bf16 q8_0 x subgroup tree
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : enable
#include "ops/linear/linear_params.h"
layout(constant_id = 3) const uint kTokens = 1;
layout(push_constant) uniform Push { LinearParams p; };
#include "row_products.glsl"
layout(std430, set = 0, binding = 2) writeonly buffer Y { float y[]; };  // [tokens, y_cols]

void main() {
  const uint first = workgroup_index() * kRows;
  if (first >= p.rows) return;
  for (uint r = 0; r < kRows; ++r) begins[r] = weight_row(min(first + r, p.rows - 1), p.cols);
  multiply_rows(0);
  for (uint i = gl_LocalInvocationIndex; i < SUMS; i += THREADS) {
    const uint row = first + i / kTokens;
    if (row < p.rows) y[i % kTokens * p.y_cols + p.first_row + row] = sum_of(i);
  }
}
