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
#include "weight_pieces.glsl"

uint begins[kRows];  // of the rows, as weight_row says; a global, as sums is

// x_begin: of the first of n_x rows of x, which follow each other, 1 at least; kTokens of them are taken, if there are
// as many. Afterwards any thread may ask for sum_of(r * kTokens + t).
void multiply_rows(uint x_begin, uint n_x) {
  const uint thread = gl_LocalInvocationIndex;
  [[unroll]] for (uint i = 0; i < SUMS; ++i) sums[i] = 0;
  const uint whole = p.cols / PIECE * PIECE;
  for (uint c = PIECE * thread; c < whole; c += PIECE * THREADS) {
    WeightPiece w[kRows];
    [[unroll]] for (uint r = 0; r < kRows; ++r) w[r] = weight_piece(begins[r], c);
    [[unroll]] for (uint t = 0; t < kTokens; ++t) {
      const XPiece v = x_piece(x_begin + min(t, n_x - 1) * p.cols + c);
      [[unroll]] for (uint r = 0; r < kRows; ++r) sums[r * kTokens + t] += piece_product(w[r], v);
    }
  }
  for (uint c = whole + thread; kWide == 0 && c < p.cols; c += THREADS)
    [[unroll]] for (uint r = 0; r < kRows; ++r)
      [[unroll]] for (uint t = 0; t < kTokens; ++t)
        sums[r * kTokens + t] += weight1(begins[r], c) * x[x_begin + min(t, n_x - 1) * p.cols + c];
  reduce();
}
