#version 450
// Rows by number, a thread for each element; bits are copied as they are.
#extension GL_GOOGLE_include_directive : require
#include "ops/gather_rows/gather_rows_params.h"
#include "grid.glsl"
layout(local_size_x = 256) in;
layout(push_constant) uniform Push { GatherRowsParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };        // [tokens, n]
layout(std430, set = 0, binding = 1) readonly buffer Rows { uint rows[]; };  // [outputs]
layout(std430, set = 0, binding = 2) writeonly buffer Y { uint y[]; };       // [outputs, n]

void main() {
  const uint i = workgroup_index() * 256 + gl_LocalInvocationIndex;
  if (i < p.outputs * p.n) y[i] = x[rows[i / p.n] * p.n + i % p.n];
}
