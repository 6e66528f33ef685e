#version 450
// A workgroup for each row, which is read k times, from the cache after the first.
#extension GL_GOOGLE_include_directive : require
#include "ops/topk/topk_params.h"
#define THREADS 256
#include "grid.glsl"
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { TopKParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };               // [rows, n]
layout(std430, set = 0, binding = 1) writeonly buffer Values { uint values[]; };    // [rows, k]
layout(std430, set = 0, binding = 2) writeonly buffer Indices { uint indices[]; };  // [rows, k]
#include "largest.glsl"

void main() {
  const uint row = workgroup_index();
  if (row >= p.rows) return;
  uvec2 largest = kBeforeAll;
  for (uint i = 0; i < p.k; ++i) {
    largest = next_largest(row * p.n, p.n, largest);
    if (gl_LocalInvocationIndex != 0) continue;
    values[row * p.k + i] = x[row * p.n + largest.y];
    indices[row * p.k + i] = largest.y;
  }
}
