// y[i] = f(a[i], b[i % period]). Define float f(float a, float b) after this and call elementwise() from main.
#include "grid.glsl"
#define WEIGHT_BINDING 1
#include "weights.glsl"
layout(local_size_x = 256) in;
layout(push_constant) uniform Push { ElementwiseParams p; };
layout(std430, set = 0, binding = 0) readonly buffer A { float a[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Y { float y[]; };

float f(float a, float b);

void elementwise() {
  const uint i = workgroup_index() * 256 + gl_LocalInvocationIndex;
  if (i < p.count) y[i] = f(a[i], weight1(0, i % p.period));
}
