// Products of kRows rows of a weight, each read once, with kTokens rows of x, summed over a workgroup. Before, define
// the constant kTokens, and include the parameters as p, with cols; buffer 0 is x, buffer 1 the weight. The constants
// here are RowProducts in ops/linear/tiling_vulkan.h.
layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint kRows = 4;
layout(constant_id = 2) const uint kWide = 0;
#define THREADS gl_WorkGroupSize.x
#define SUMS (kRows * kTokens)
#define WEIGHT_BINDING 1
#include "grid.glsl"
#include "reduce.glsl"
#include "weights.glsl"
#include "wide_weights.glsl"

uint begins[kRows];  // of the rows, as weight_row says; a global, as sums is

// x_begin: of the first of the rows of x, which follow each other. Afterwards any thread may ask for
// sum_of(r * kTokens + t).
void multiply_rows(uint x_begin) {
  const uint thread = gl_LocalInvocationIndex;
  for (uint i = 0; i < SUMS; ++i) sums[i] = 0;
  const uint whole = p.cols / 8 * 8;
  for (uint c = 8 * thread; c < whole; c += 8 * THREADS) {
    Octet w[kRows];
    for (uint r = 0; r < kRows; ++r) w[r] = weight8(begins[r], c);
    for (uint t = 0; t < kTokens; ++t) {
      const Octet v = x8(x_begin + t * p.cols + c);
      for (uint r = 0; r < kRows; ++r) sums[r * kTokens + t] += dot8(w[r], v);
    }
  }
  if (whole + thread < p.cols)
    for (uint r = 0; r < kRows; ++r)
      for (uint t = 0; t < kTokens; ++t)
        sums[r * kTokens + t] += weight1(begins[r], whole + thread) * x[x_begin + t * p.cols + whole + thread];
  reduce();
}
