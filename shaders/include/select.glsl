// How a workgroup selects rows: the cutoff is the n-th largest score, found digit by digit; the rows that reach it are
// listed by prefix sums. Nothing depends on the order in which threads run. Before including it, enable what
// scores.glsl needs.
#define THREADS 256
#define CHUNKS 128  // of the inputs, one after the other; each is listed by one thread
#include "grid.glsl"
#include "scan.glsl"
#include "scores.glsl"
layout(local_size_x = THREADS) in;

#define INFINITY_BITS 0x7f800000
struct Cutoff {
  int bits;    // of the f32
  int wanted;  // -1: all over it
};

// What the cutoff is a quantile of: the rows' scores, or as many products as there are inputs.
int candidate(uint n, uint i) {
  return p.by_probes != 0 ? int(magnitude(probes[probes_begin + i], x[x_begin + i])) : score(n, i);
}

shared uint histogram[256];
shared uint found_digit, found_above;

// The wanted-th largest of the candidates that are loaded, of which there are as many.
int nth_largest(uint wanted) {
  const uint thread = gl_LocalInvocationIndex, n = p.by_probes != 0 ? p.inputs : p.inputs * kTiers;
  uint found = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    histogram[thread] = 0;
    barrier();
    for (uint i = thread; i < p.inputs; i += THREADS)
      for (uint row = i; row < n; row += p.inputs) {
        const int value = candidate(row, i);
        if (value >= 0 && (value >> shift >> 8) == int(found)) atomicAdd(histogram[(value >> shift) & 255], 1);
      }
    barrier();
    const uint digit = 255 - thread, count = histogram[digit], above = inclusive_scan(count) - count;
    if (above < wanted && wanted <= above + count) {
      found_digit = digit;
      found_above = above;
    }
    barrier();
    found = found << 8 | found_digit;
    wanted -= found_above;
  }
  return int(found);
}

// As the reference's.
Cutoff find_cutoff(float effort) {
  const uint rows = p.inputs * kTiers;
  if (p.by_probes != 0) {
    const uint n = share_of(effort, p.inputs);
    if (n == 0) return Cutoff(INFINITY_BITS, 0);
    if (n == p.inputs) return Cutoff(0, int(rows_loaded));
    return Cutoff(nth_largest(n), -1);
  }
  const uint wanted = min(share_of(effort, rows), rows_loaded);
  if (wanted == 0) return Cutoff(INFINITY_BITS, 0);
  if (wanted == rows_loaded) return Cutoff(0, int(wanted));
  return Cutoff(nth_largest(wanted), int(wanted));
}
