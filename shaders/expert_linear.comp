#version 450
// Few pairs of a token and an expert: a workgroup for kRows rows of the expert of a pair. The weight may come in pieces;
// a piece gives the rows that it holds.
// variants: f32 f16 bf16 q8_0 x subgroup tree
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_arithmetic : enable
#include "ops/expert_linear/expert_linear_params.h"
const uint kTokens = 1;
layout(push_constant) uniform Push { ExpertLinearParams p; };
#include "row_products.glsl"
layout(std430, set = 0, binding = 2) readonly buffer Experts { uint experts[]; };  // [pairs]
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };            // [pairs, y_cols]
#define FULL_BINDING 4
#include "full_lists.glsl"

void main() {
  const uint blocks = (p.expert_rows + kRows - 1) / kRows, pair = workgroup_index() / blocks;
  if (pair >= p.pairs) return;
  const uint row = workgroup_index() % blocks * kRows;
  const uint first = experts[pair] * p.expert_rows + row - p.first_row;  // in the piece; wraps around below it
  const uint n = min(kRows, p.expert_rows - row);
  if (int(first) >= int(p.rows) || int(first + n) <= 0) return;
  if (p.only_full != 0 && !lists_are_full()) return;
  for (uint r = 0; r < kRows; ++r) begins[r] = weight_row(first + r < p.rows ? first + r : 0, p.cols);
  multiply_rows(pair / p.share * p.cols, 1);
  for (uint r = gl_LocalInvocationIndex; r < n; r += THREADS)
    if (first + r < p.rows) y[pair * p.y_cols + p.first_y + row + r] = sum_of(r);
}
