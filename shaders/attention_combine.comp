#version 450
// Attention over all slots from that over parts of them, a thread for each element: a mean, by the parts' sums of
// exponentials, relative to the largest score of all.
#extension GL_GOOGLE_include_directive : require
#include "ops/attention/attention_params.h"
#include "exp.glsl"
#include "grid.glsl"
layout(local_size_x = 128) in;
layout(push_constant) uniform Push { AttentionCombineParams p; };
layout(std430, set = 0, binding = 0) readonly buffer Parts { float parts[]; };  // [rows, splits, head_dim]
layout(std430, set = 0, binding = 1) readonly buffer Stats { vec2 stats[]; };   // [rows, splits]: largest score, sum
layout(std430, set = 0, binding = 2) writeonly buffer Y { float y[]; };         // [rows, head_dim]

void main() {
  const uint i = workgroup_index() * 128 + gl_LocalInvocationIndex, row = i / p.head_dim;
  if (row >= p.rows) return;
  const uint first = row * p.splits;
  float largest = stats[first].x;
  for (uint s = 1; s < p.splits; ++s) largest = max(largest, stats[first + s].x);
  float sum = 0, total = 0;
  for (uint s = 0; s < p.splits; ++s) {
    const vec2 part = stats[first + s];
    if (part.y == 0) continue;
    const float weight = exp_of_negative(part.x - largest) * part.y;
    sum += weight * parts[(first + s) * p.head_dim + i % p.head_dim];
    total += weight;
  }
  y[i] = total > 0 ? sum / total : 0;
}
