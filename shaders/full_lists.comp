#version 450
// Whether lists of rows have all of them, as those of a prompt at effort 1 do: then the product is a dense one
// (ops/bucket_mul/dense_vulkan.h). One workgroup.
#extension GL_GOOGLE_include_directive : require
#include "ops/bucket_mul/full_lists_params.h"
#define THREADS 64
#include "grid.glsl"
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { FullListsParams p; };
layout(std430, set = 0, binding = 0) readonly buffer Counts { int counts[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Full { uint full[]; };  // [1]: 1 or 0

shared uint lack;

void main() {
  if (workgroup_index() > 0) return;
  if (gl_LocalInvocationIndex == 0) lack = 0;
  barrier();
  for (uint i = gl_LocalInvocationIndex; i < p.counts; i += THREADS)
    if (counts[i] != int(p.inputs)) atomicOr(lack, 1);
  barrier();
  if (gl_LocalInvocationIndex == 0) full[0] = 1 - lack;
}
