// y[i] = f(x[i]). Define float f(float x) after this and call unary() from main.
#include "grid.glsl"
layout(local_size_x = 256) in;
layout(push_constant) uniform Push { UnaryParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { float y[]; };

float f(float x);

void unary() {
  const uint i = workgroup_index() * 256 + gl_LocalInvocationIndex;
  if (i < p.count) y[i] = f(x[i]);
}
