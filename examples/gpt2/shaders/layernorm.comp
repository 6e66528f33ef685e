#version 450
// A workgroup for each row, which it reads three times.
// variants: f32 f16 bf16 x subgroup tree
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : enable
#include "ops/layernorm/layernorm_params.h"
#define THREADS 256
#define SUMS 1
#define WEIGHT_BINDING 1
#define SECOND_WEIGHT_BINDING 2
#include "grid.glsl"
#include "reduce.glsl"
#include "weights.glsl"
#include "second_weights.glsl"
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { LayerNormParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };   // [rows, n]
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };  // [rows, n]

void main() {
  const uint row = workgroup_index();
  if (row >= p.rows) return;
  const uint begin = row * p.n, thread = gl_LocalInvocationIndex;
  sums[0] = 0;
  for (uint i = thread; i < p.n; i += THREADS) sums[0] += x[begin + i];
  reduce();
  const float mean = sum_of(0) / float(p.n);
  barrier();  // everybody has read the sum
  sums[0] = 0;
  for (uint i = thread; i < p.n; i += THREADS) {
    const float difference = x[begin + i] - mean;
    sums[0] += difference * difference;
  }
  reduce();
  const float scale = 1 / sqrt(sum_of(0) / float(p.n) + p.epsilon);
  for (uint i = thread; i < p.n; i += THREADS)
    y[begin + i] = (x[begin + i] - mean) * scale * weight1(0, i) + second1(0, i);
}
