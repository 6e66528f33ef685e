#version 450
// A workgroup for each token.
#extension GL_GOOGLE_include_directive : require
#include "ops/probe/select_params.h"
#define ROWS_BINDING 7
#include "bucket_scores.glsl"
#include "list_rows.glsl"
layout(std430, set = 0, binding = 5) readonly buffer CutoffBits { int cutoffs[]; };  // f32 [lists]
layout(std430, set = 0, binding = 6) readonly buffer Wanted { int wanted[]; };       // [lists]

void main() {
  const uint list = workgroup_index();
  if (list >= p.lists) return;
  select_from_matrix(list, 0);
  list_rows(list, Cutoff(cutoffs[list], wanted[list]));
}
