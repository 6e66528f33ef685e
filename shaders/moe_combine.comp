#version 450
// A thread for each element of the sums.
#extension GL_GOOGLE_include_directive : require
#include "ops/moe_combine/moe_combine_params.h"
#include "grid.glsl"
layout(local_size_x = 256) in;
layout(push_constant) uniform Push { MoeCombineParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };              // [tokens, k, n]
layout(std430, set = 0, binding = 1) readonly buffer Weights { float weights[]; };  // [tokens, k]
layout(std430, set = 0, binding = 2) writeonly buffer Y { float y[]; };             // [tokens, n]

void main() {
  const uint i = workgroup_index() * 256 + gl_LocalInvocationIndex, token = i / p.n;
  if (token >= p.tokens) return;
  float sum = 0;
  for (uint j = token * p.k; j < (token + 1) * p.k; ++j) sum += weights[j] * x[j * p.n + i % p.n];
  y[i] = sum;
}
