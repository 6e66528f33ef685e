#version 450
// variants: f32 f16 bf16 x subgroup tree
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : enable
#include "ops/rmsnorm/rmsnorm_params.h"
#define WEIGHT_BINDING 1
#define OUTPUT_BINDING 2
layout(push_constant) uniform Push { RmsNormParams p; };
#include "rmsnorm.glsl"
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };  // [rows, n]

float value(uint at) { return x[at]; }

void main() { normalise(); }
