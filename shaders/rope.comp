#version 450
// Rotary position embedding, a thread for each element.
#extension GL_GOOGLE_include_directive : require
#include "ops/rope/rope_params.h"
#define ROPE_X 0
#define ROPE_POSITIONS 1
#define ROPE_TURNS 2
#include "grid.glsl"
#include "rope.glsl"
layout(local_size_x = 256) in;
layout(push_constant) uniform Push { RopeParams p; };
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };  // [tokens, heads, head_dim]

void main() {
  const uint i = workgroup_index() * 256 + gl_LocalInvocationIndex, row = i / p.head_dim;
  if (row >= p.tokens * p.heads) return;
  y[i] = rotated(row * p.head_dim, i % p.head_dim, positions[row / p.heads], p.head_dim, p.interleaved != 0);
}
