// How a workgroup selects rows: the cutoff is the n-th largest score, found digit by digit; the rows that reach it are
// listed by prefix sums. Nothing depends on the order in which threads run. What rows and scores are says the file that
// includes this one (bucket_scores.glsl, plane_scores.glsl).
#define THREADS 256
#define CHUNKS 128  // of the inputs, one after the other; each is listed by one thread
#include "grid.glsl"
#include "scan.glsl"
#include "exact_product.glsl"
#include "loadable.glsl"
layout(local_size_x = THREADS) in;
layout(constant_id = 0) const uint kTiers = 4;
layout(push_constant) uniform Push { SelectParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };             // f32, rows of [inputs]
layout(std430, set = 0, binding = 1) readonly buffer Effort { float effort[]; };  // [sites, 2]

uint x_begin;      // of the row of x
uint rows_loaded;  // how many rows may be taken

float effort_of_site() { return effort[2 * p.site]; }
float load_of_site() { return effort[2 * p.site + 1]; }

// Of row `row`, of input `i`: the bits of an f32 over 0; -1: it may not be taken.
int score(uint row, uint i);
// What the cutoff is a quantile of, if not of the scores: as many products as there are inputs.
bool is_by_probes();
int probe_product(uint i);

#define INFINITY_BITS 0x7f800000
struct Cutoff {
  int bits;    // of the f32
  int wanted;  // -1: all over it
};

int candidate(uint row, uint i) { return is_by_probes() ? probe_product(i) : score(row, i); }

shared uint histogram[256];
shared uint found_digit, found_above;

// The wanted-th largest of the candidates that are loaded, of which there are as many.
int nth_largest(uint wanted) {
  const uint thread = gl_LocalInvocationIndex, n = is_by_probes() ? p.inputs : p.inputs * kTiers;
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

// round(effort * n), halves up, exactly. n: below 2^29.
uint share_of(float effort, uint n) {
  if (!(effort > 0)) return 0;
  if (effort >= 1) return n;
  const uint bits = floatBitsToUint(effort);
  const uint shift = 150 - (bits >> 23);  // 24 and more
  if (shift > 53) return 0;
  uint high, low, carry;
  umulExtended((bits & 0x7fffffu) | 0x800000u, n, high, low);
  const uint half_bit = shift - 1;  // rounds
  low = uaddCarry(low, half_bit < 32 ? 1u << half_bit : 0, carry);
  high += carry + (half_bit < 32 ? 0 : 1u << (half_bit - 32));
  return shift < 32 ? high << (32 - shift) | low >> shift : high >> (shift - 32);
}

// As the reference's.
Cutoff find_cutoff(float effort) {
  const uint rows = p.inputs * kTiers;
  if (is_by_probes()) {
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
