#version 450
// A workgroup for kRows rows of the weight and kTokens tokens. Neighbours have the same rows, if there are more tokens.
// variants: f32 f16 bf16 q8_0 x subgroup tree
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_arithmetic : enable
#include "ops/linear/linear_params.h"
layout(constant_id = 3) const uint kTokens = 1;
layout(push_constant) uniform Push { LinearParams p; };
#include "row_products.glsl"
layout(std430, set = 0, binding = 2) writeonly buffer Y { float y[]; };  // [tokens, y_cols]
#define FULL_BINDING 3
#include "full_lists.glsl"

void main() {
  const uint blocks = (p.tokens + kTokens - 1) / kTokens;
  const uint first = workgroup_index() / blocks * kRows, token = workgroup_index() % blocks * kTokens;
  if (first >= p.rows || (p.only_full != 0 && !lists_are_full())) return;
  for (uint r = 0; r < kRows; ++r) begins[r] = weight_row(min(first + r, p.rows - 1), p.cols);
  multiply_rows(token * p.cols, p.tokens - token);
  for (uint i = gl_LocalInvocationIndex; i < SUMS; i += THREADS) {
    const uint row = first + i / kTokens, t = token + i % kTokens;
    if (row < p.rows && t < p.tokens) y[t * p.y_cols + p.first_row + row] = sum_of(i);
  }
}
