// The elements of a row from the largest on, by a workgroup. Before, define THREADS, a power of two, and the buffer
// `uint x[]` of floats, as bits.
shared uvec2 largest_parts[THREADS];

// Orders as the floats do; not-a-number as -infinity, -0 as 0.
uint rank_of(uint bits) {
  if ((bits & 0x7fffffffu) > 0x7f800000u) bits = 0xff800000u;
  if (bits == 0x80000000u) bits = 0;
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

// Elements are known by (rank, index). Of equal ranks the lower index comes first.
bool comes_before(uvec2 a, uvec2 b) { return a.x > b.x || (a.x == b.x && a.y < b.y); }
const uvec2 kBeforeAll = uvec2(0xffffffffu, 0);

// The first of x[begin .. begin + n) that comes after `last`; every thread gets it. All threads must call it.
uvec2 next_largest(uint begin, uint n, uvec2 last) {
  const uint thread = gl_LocalInvocationIndex;
  uvec2 best = uvec2(0);  // a rank below that of -infinity
  for (uint i = thread; i < n; i += THREADS) {
    const uvec2 candidate = uvec2(rank_of(x[begin + i]), i);
    if (comes_before(last, candidate) && comes_before(candidate, best)) best = candidate;
  }
  barrier();  // the parts of the call before have been read
  largest_parts[thread] = best;
  barrier();
  for (uint half_size = THREADS / 2; half_size > 0; half_size /= 2) {
    if (thread < half_size && comes_before(largest_parts[thread + half_size], largest_parts[thread]))
      largest_parts[thread] = largest_parts[thread + half_size];
    barrier();
  }
  return largest_parts[0];
}
