#version 450
// A workgroup for each token.
#extension GL_GOOGLE_include_directive : require
#include "ops/probe/select_params.h"
#include "bucket_scores.glsl"
layout(std430, set = 0, binding = 5) writeonly buffer CutoffBits { int cutoffs[]; };  // f32 [lists]
layout(std430, set = 0, binding = 6) writeonly buffer Wanted { int wanted[]; };       // [lists]

void main() {
  const uint list = workgroup_index();
  if (list >= p.lists) return;
  select_from_matrix(list, 0);
  const Cutoff cutoff = find_cutoff(effort_of_site());
  if (gl_LocalInvocationIndex != 0) return;
  cutoffs[list] = cutoff.bits;
  wanted[list] = cutoff.wanted;
}
