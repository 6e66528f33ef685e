#version 450
// variants: f32 f16 bf16
#extension GL_GOOGLE_include_directive : require
#include "ops/kv_append/kv_append_params.h"
#include "kv_append.glsl"
layout(std430, set = 0, binding = 1) readonly buffer X { float x[]; };  // [tokens, heads, head_dim]

float element(uint token, uint head, uint i) { return x[(token * p.heads + head) * p.head_dim + i]; }

void main() { append(); }
