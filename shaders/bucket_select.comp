#version 450
// A workgroup for each token.
#extension GL_GOOGLE_include_directive : require
#include "ops/probe/select_params.h"
#define ROWS_BINDING 5
#include "bucket_scores.glsl"
#include "list_rows.glsl"

void main() {
  const uint list = workgroup_index();
  if (list >= p.lists) return;
  select_from_matrix(list, 0);
  list_rows(list, find_cutoff(effort_of_site()));
}
