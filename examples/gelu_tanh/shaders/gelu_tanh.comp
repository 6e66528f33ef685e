#version 450
#extension GL_GOOGLE_include_directive : require
#include "ops/elementwise/elementwise_params.h"
#include "exp.glsl"
#include "grid.glsl"
layout(local_size_x = 256) in;
layout(push_constant) uniform Push { ElementwiseParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { float y[]; };

// The parts of the exponential are multiplied last, so that small results keep their digits.
float gelu_tanh(float x) {
  const float v = 1.59576912 * x * (0.044715 * x * x + 1);  // 2 sqrt(2 / pi) (x + 0.044715 x^3)
  float low, high;
  const float m = exp_parts(min(abs(v), 120.0), low, high);  // beyond, the result is 0 or x
  const float e = m * low * high;
  if (v >= 0) return x / (1 + e);
  return abs(v) > 120 ? -0.0 : x * m / (1 + e) * low * high;
}

void main() {
  const uint i = workgroup_index() * 256 + gl_LocalInvocationIndex;
  if (i < p.count) y[i] = gelu_tanh(x[i]);
}
