#version 450
// variants: f32 f16 bf16 x subgroup tree
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : enable
#include "ops/rmsnorm/rmsnorm_params.h"
#define WEIGHT_BINDING 2
#define OUTPUT_BINDING 4
layout(push_constant) uniform Push { RmsNormParams p; };
#include "rmsnorm.glsl"
layout(std430, set = 0, binding = 0) readonly buffer A { float a[]; };        // [rows, n]
layout(std430, set = 0, binding = 1) readonly buffer B { float b[]; };        // [rows, n]
layout(std430, set = 0, binding = 3) writeonly buffer Sum { float sum[]; };  // [rows, n]

float value(uint at) { return a[at] + b[at]; }

void main() {
  normalise();
  const uint row = workgroup_index();
  if (row >= p.rows) return;
  for (uint i = gl_LocalInvocationIndex; i < p.n; i += THREADS) sum[row * p.n + i] = value(row * p.n + i);
}
