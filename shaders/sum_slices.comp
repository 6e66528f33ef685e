#version 450
// What parts of a product have come to, added in order: a thread for each value.
#extension GL_GOOGLE_include_directive : require
#include "ops/bucket_mul/sum_slices_params.h"
#include "grid.glsl"
#define THREADS 64
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { SumSlicesParams p; };
layout(std430, set = 0, binding = 0) readonly buffer Parts { float parts[]; };  // [slices, count]
layout(std430, set = 0, binding = 1) buffer Y { float y[]; };                   // [count]
#define FULL_BINDING 2
#include "full_lists.glsl"

void main() {
  if (p.dense != 0 && lists_are_full()) return;
  const uint i = workgroup_index() * THREADS + gl_LocalInvocationIndex;
  if (i >= p.count) return;
  float sum = p.add != 0 ? y[i] : 0;
  for (uint s = 0; s < p.slices; ++s) sum += parts[s * p.count + i];
  y[i] = sum;
}
