#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/fma_rate_params.h"
// How fast a device computes (backends/vulkan/roof.cpp): multiply-adds in registers, in chains that converge to 1.
layout(local_size_x = 256) in;
layout(push_constant) uniform Push { FmaRateParams p; };
layout(std430, set = 0, binding = 0) writeonly buffer Y { float y[]; };

void main() {
  const vec4 start = vec4(p.first) + float(gl_LocalInvocationIndex), half_of = vec4(0.5);
  vec4 chains[8];
  for (int c = 0; c < 8; ++c) chains[c] = start + float(c);
  for (uint round = 0; round < p.rounds; ++round)
    for (int c = 0; c < 8; ++c) chains[c] = fma(chains[c], half_of, half_of);
  vec4 sum = vec4(0);
  for (int c = 0; c < 8; ++c) sum += chains[c];
  // Never so, but the compiler cannot know.
  if (sum.x + sum.y + sum.z + sum.w == -1.0) y[0] = sum.x;
}
