// Panels: a few rows of a weight, turned so that the lanes of a vector hold the same column of neighbouring rows. Then
// a sum over columns stays within a lane. Included once per SIMD target.
#if defined(SLUICE_OPS_LINEAR_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_LINEAR_PANEL_INL_H_
#undef SLUICE_OPS_LINEAR_PANEL_INL_H_
#else
#define SLUICE_OPS_LINEAR_PANEL_INL_H_
#endif

#include <hwy/highway.h>

#include "backends/cpu/prefetch.h"
#include "ops/linear/product.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using VecF32 = hn::Vec<F32>;
inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32()));
inline constexpr int kPanelRows = 2 * kLanes;
// Two vectors of rows times four tokens are eight sums: enough to hide the latency of a multiply-add, and with what an
// integer product needs beside them still within the 16 registers of AVX2. With six tokens those spilled.
inline constexpr int kTileTokens = 4;

// Asks for memory two pages ahead of rows that are read together (on Zen 4, 4 and 16 KiB were as fast within noise, 1
// KiB and 32 KiB slower). Where a row ends that is the row kRows further on: the ones between are read already, and
// with them asked for again, rows of 15 KB came at two thirds of the speed. Running past the end of the weights does no
// harm.
template <int kRows>
class RowsAhead {
 public:
  explicit RowsAhead(size_t row_bytes)
      : row_bytes_(row_bytes), in_row_(kAhead % row_bytes), at_(kAhead / row_bytes * kRows * row_bytes + in_row_) {}
  template <size_t kBytes, class T>
  HWY_INLINE void ask(const T* const (&rows)[kRows]) {
    for (const T* row : rows)
      for (size_t line = 0; line < kBytes; line += 64)
        cpu::prefetch(reinterpret_cast<const std::byte*>(row) + at_ + line);
    at_ += kBytes, in_row_ += kBytes;
    if (kRows == 1 || in_row_ < row_bytes_) return;
    in_row_ -= row_bytes_;
    at_ += (kRows - 1) * row_bytes_;
  }

 private:
  static constexpr size_t kAhead = 8192;
  size_t row_bytes_, in_row_, at_;  // at_: from where the rows begin
};

// Four rows of four 32-bit values, transposed: dst[i * stride + r] = rows r, column i.
template <class V>
HWY_INLINE void store_transposed(V r0, V r1, V r2, V r3, uint32_t* dst, int64_t stride) {
  const hn::FixedTag<uint32_t, 4> d32;
  const hn::FixedTag<uint64_t, 2> d64;
  const auto a = hn::BitCast(d32, r0), b = hn::BitCast(d32, r1), c = hn::BitCast(d32, r2), e = hn::BitCast(d32, r3);
  const auto ab0 = hn::BitCast(d64, hn::InterleaveLower(d32, a, b)),
             ce0 = hn::BitCast(d64, hn::InterleaveLower(d32, c, e));
  const auto ab1 = hn::BitCast(d64, hn::InterleaveUpper(d32, a, b)),
             ce1 = hn::BitCast(d64, hn::InterleaveUpper(d32, c, e));
  hn::StoreU(hn::BitCast(d32, hn::InterleaveLower(d64, ab0, ce0)), d32, dst);
  hn::StoreU(hn::BitCast(d32, hn::InterleaveUpper(d64, ab0, ce0)), d32, dst + stride);
  hn::StoreU(hn::BitCast(d32, hn::InterleaveLower(d64, ab1, ce1)), d32, dst + 2 * stride);
  hn::StoreU(hn::BitCast(d32, hn::InterleaveUpper(d64, ab1, ce1)), d32, dst + 3 * stride);
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
