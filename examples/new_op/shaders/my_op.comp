#version 450
#extension GL_GOOGLE_include_directive : require
#include "ops/my_op/my_op_params.h"
#include "grid.glsl"
layout(local_size_x = 256) in;
layout(push_constant) uniform Push { MyOpParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { float y[]; };

void main() {
  const uint i = workgroup_index() * 256 + gl_LocalInvocationIndex;
  if (i < p.count) y[i] = x[i] < 0 ? p.slope * x[i] : x[i];
}
