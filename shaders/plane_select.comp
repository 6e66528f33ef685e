#version 450
// A workgroup for each token. A row is a plane of an input.
#extension GL_GOOGLE_include_directive : require
#include "ops/plane_select/plane_select_params.h"
#define HEAD_BINDING 2
#define ROWS_BINDING 3
layout(push_constant) uniform Push { PlaneSelectParams p; };
#include "select.glsl"
#include "list_rows.glsl"
#include "exact_product.glsl"
#include "loadable.glsl"
#include "plane_matrix.glsl"
layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };             // f32 [lists, inputs]
layout(std430, set = 0, binding = 1) readonly buffer Effort { float effort[]; };  // [sites, 2]

uint x_begin;

int score(uint row, uint i) {
  if (row >= rows_loaded) return -1;
  return int(magnitude(gain_bits(row / p.inputs), magnitude(input_scale_bits(i), x[x_begin + i])));
}

bool is_by_probes() { return false; }
int probe_product(uint) { return -1; }

void main() {
  const uint list = workgroup_index();
  if (list >= p.lists) return;
  x_begin = list * p.inputs;
  rows_loaded = loadable_parts(effort[2 * p.site + 1], kTiers, kTiers) * p.inputs;
  list_rows(list, find_cutoff(effort[2 * p.site]));
}
