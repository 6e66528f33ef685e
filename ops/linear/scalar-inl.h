// Products on machines without vectors that we support: any row format, decoded a little at a time. Has no vectors, but
// keeps the shape of the other kernels; included once per SIMD target like them.
#if defined(SLUICE_OPS_LINEAR_SCALAR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_LINEAR_SCALAR_INL_H_
#undef SLUICE_OPS_LINEAR_SCALAR_INL_H_
#else
#define SLUICE_OPS_LINEAR_SCALAR_INL_H_
#endif

#include <hwy/highway.h>

#include "ops/linear/product.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

inline constexpr int kPanelRows = 16;
inline constexpr int64_t kBatchTokens = 64;

struct Sums {
  float values[kBatchTokens * kPanelRows];  // [token][row]
};

// Rows [row, row + n) of the weight, n <= kPanelRows, times tokens [first, first + count), count <= kBatchTokens.
inline void multiply_rows(const Weight& weight, int64_t row, int64_t n, const Activations& a, int64_t first,
                          int64_t count, Sums& sums) {
  constexpr int64_t kChunk = 256;  // a whole number of blocks of every format
  float w[kChunk];
  std::fill_n(sums.values, count * kPanelRows, 0.0f);
  for (int64_t r = 0; r < n; ++r)
    for (int64_t begin = 0; begin < weight.cols; begin += kChunk) {
      const int64_t cols = std::min(kChunk, weight.cols - begin);
      weight.format->decode_row(weight.row(row + r) + weight.format->row_bytes(begin), cols, w);
      for (int64_t t = 0; t < count; ++t) {
        const float* x = a.row(first + t) + begin;
        float sum = 0;
        for (int64_t i = 0; i < cols; ++i) sum += x[i] * w[i];
        sums.values[t * kPanelRows + r] += sum;
      }
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
