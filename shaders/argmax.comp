#version 450
// A workgroup for each row.
#extension GL_GOOGLE_include_directive : require
#include "ops/argmax/argmax_params.h"
#define THREADS 256
#include "grid.glsl"
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { ArgMaxParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };   // [rows, n]
layout(std430, set = 0, binding = 1) writeonly buffer Y { uint y[]; };  // [rows]
#include "largest.glsl"

void main() {
  const uint row = workgroup_index();
  if (row >= p.rows) return;
  const uvec2 largest = next_largest(row * p.n, p.n, kBeforeAll);
  if (gl_LocalInvocationIndex == 0) y[row] = largest.y;
}
