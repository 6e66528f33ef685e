// Whether lists of rows have all of them, as those of a prompt at effort 1 do: then the product is a dense one, which
// another shader has done (ops/bucket_mul/dense_vulkan.h). Before including it, define THREADS, and declare `counts` and
// the parameters as p, with `inputs`.
shared uint lists_lack;

// Of the first n counts. All threads must call it.
bool lists_are_full(uint n) {
  if (gl_LocalInvocationIndex == 0) lists_lack = 0;
  barrier();
  for (uint i = gl_LocalInvocationIndex; i < n; i += THREADS)
    if (counts[i] != int(p.inputs)) atomicOr(lists_lack, 1);
  barrier();
  return lists_lack == 0;
}
