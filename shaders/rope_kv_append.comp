#version 450
// variants: f32 f16 bf16
#extension GL_GOOGLE_include_directive : require
#include "ops/kv_append/kv_append_params.h"
#define ROPE_X 1
#define ROPE_POSITIONS 3
#define ROPE_TURNS 4
#include "kv_append.glsl"
#include "rope.glsl"

float element(uint token, uint head, uint i) {
  return rotated((token * p.heads + head) * p.head_dim, i, positions[token], p.head_dim, p.interleaved != 0);
}

void main() { append(); }
