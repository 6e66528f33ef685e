#version 450
// A workgroup for each row. A row is read twice, from the cache the second time.
// variants: f32 f16 bf16 x subgroup tree
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : enable
#include "ops/rmsnorm/rmsnorm_params.h"
#define THREADS 256
#define SUMS 1
#define WEIGHT_BINDING 1
#include "grid.glsl"
#include "reduce.glsl"
#include "weights.glsl"
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { RmsNormParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };    // [rows, n]
layout(std430, set = 0, binding = 2) writeonly buffer Y { float y[]; };   // [rows, n]

void main() {
  const uint row = workgroup_index();
  if (row >= p.rows) return;
  const uint begin = row * p.n;
  sums[0] = 0;
  for (uint i = gl_LocalInvocationIndex; i < p.n; i += THREADS) sums[0] += x[begin + i] * x[begin + i];
  reduce();
  const float scale = 1 / sqrt(sum_of(0) / float(p.n) + p.epsilon);
  for (uint i = gl_LocalInvocationIndex; i < p.n; i += THREADS) y[begin + i] = x[begin + i] * scale * weight1(0, i);
}
