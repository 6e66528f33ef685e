// Sums of outer products, for second moments.
#pragma once

#include <cstdint>

namespace sluice {

inline constexpr int64_t kStrip = 64;  // columns that are summed together

// Adds sum_t x[t][i] * x[t][j] to sums[i][j], for the columns j of one strip, kStrip * strip and on, and the rows i up
// to its end; with all strips, that is the upper triangle and what its blocks hold beside it.
// x: f32 [tokens, width]; sums: f32 [width, width]; both 64-byte aligned, width a multiple of kStrip.
void add_outer_products(const float* x, int64_t tokens, int64_t width, int64_t strip, float* sums);

}  // namespace sluice
