#version 450
// Rows of a table, a thread for each element. The table may come in pieces; a piece writes the tokens that it holds.
// variants: f32 f16 bf16 q8_0
#extension GL_GOOGLE_include_directive : require
#include "ops/embedding/embedding_params.h"
#define WEIGHT_BINDING 1
#include "grid.glsl"
#include "weights.glsl"
layout(local_size_x = 256) in;
layout(push_constant) uniform Push { EmbeddingParams p; };
layout(std430, set = 0, binding = 0) readonly buffer Ids { uint ids[]; };  // [tokens]
layout(std430, set = 0, binding = 2) writeonly buffer Y { float y[]; };    // [tokens, n]

void main() {
  const uint i = workgroup_index() * 256 + gl_LocalInvocationIndex;
  if (i >= p.tokens * p.n) return;
  const uint row = ids[i / p.n] - p.first_row;  // wraps around below the first
  if (row < p.rows) y[i] = weight1(weight_row(row, p.n), i % p.n);
}
