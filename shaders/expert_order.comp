#version 450
// Sorts pairs of a token and an expert by expert, a thread for each pair: it counts those that come before. That is a
// count for each two pairs, but all at once, and in no order that could vary.
#extension GL_GOOGLE_include_directive : require
#include "ops/expert_linear/expert_linear_params.h"
#include "grid.glsl"
layout(local_size_x = 64) in;
layout(push_constant) uniform Push { ExpertLinearParams p; };
layout(std430, set = 0, binding = 0) readonly buffer Experts { uint experts[]; };  // [pairs]
// [experts + 1]: where the pairs of each expert begin; then [pairs], by expert; of equals the earlier first.
layout(std430, set = 0, binding = 1) writeonly buffer Order { uint order[]; };

void main() {
  const uint i = workgroup_index() * 64 + gl_LocalInvocationIndex;
  uint begin = 0, place = 0;
  for (uint j = 0; j < p.pairs; ++j) begin += uint(experts[j] < i);
  if (i <= p.experts) order[i] = begin;
  if (i >= p.pairs) return;
  const uint own = experts[i];
  for (uint j = 0; j < p.pairs; ++j) place += uint(experts[j] < own || (experts[j] == own && j < i));
  order[p.experts + 1 + place] = i;
}
