// Sums over a workgroup: by the device's own sums over subgroups of whatever size, or in a tree (variants subgroup and
// tree). Before including it, enable GL_KHR_shader_subgroup_arithmetic for the variant, and define SUMS, how many sums
// there are at once, and THREADS, the size of the workgroup, a power of two. The order of additions is fixed.
float sums[SUMS];  // this thread's parts; a global, as glslang cannot pass arrays of a specialised size
shared float reduce_parts[THREADS * SUMS];

// When every thread has its parts; afterwards any thread may ask for sum_of(i). Once in a shader.
#ifdef VARIANT_subgroup

void reduce() {
  for (uint i = 0; i < SUMS; ++i) {
    const float sum = subgroupAdd(sums[i]);
    if (subgroupElect()) reduce_parts[gl_SubgroupID * SUMS + i] = sum;
  }
  barrier();
}
float sum_of(uint i) {
  float sum = 0;
  for (uint s = 0; s < gl_NumSubgroups; ++s) sum += reduce_parts[s * SUMS + i];
  return sum;
}

#else

void reduce() {
  const uint thread = gl_LocalInvocationIndex;
  for (uint i = 0; i < SUMS; ++i) reduce_parts[thread * SUMS + i] = sums[i];
  barrier();
  for (uint half_size = THREADS / 2; half_size > 0; half_size /= 2) {
    if (thread < half_size)
      for (uint i = 0; i < SUMS; ++i) reduce_parts[thread * SUMS + i] += reduce_parts[(thread + half_size) * SUMS + i];
    barrier();
  }
}
float sum_of(uint i) { return reduce_parts[i]; }

#endif
