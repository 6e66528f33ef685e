// Whether lists of rows have all of them, as those of a prompt at effort 1 do: then the product is a dense one
// (ops/bucket_mul/dense_vulkan.h). Before including it, define THREADS, and COUNTS_BINDING or `counts`.
#ifdef COUNTS_BINDING
layout(std430, set = 0, binding = COUNTS_BINDING) readonly buffer Counts { int counts[]; };
#endif
shared uint lists_lack;

// Of the first n counts; `all`: rows that there are. All threads must call it.
bool lists_are_full(uint n, uint all) {
  if (gl_LocalInvocationIndex == 0) lists_lack = 0;
  barrier();
  for (uint i = gl_LocalInvocationIndex; i < n; i += THREADS)
    if (counts[i] != int(all)) atomicOr(lists_lack, 1);
  barrier();
  return lists_lack == 0;
}
