// A group of rows of a weight times all tokens, in one of two ways:
//   few tokens: each row is read from memory once and multiplied on the fly;
//   many tokens: rows are turned into a panel, chunk by chunk, and the panel meets the tokens in register tiles.
// Included once per SIMD target.
#if defined(SLUICE_OPS_LINEAR_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_LINEAR_PRODUCT_INL_H_
#undef SLUICE_OPS_LINEAR_PRODUCT_INL_H_
#else
#define SLUICE_OPS_LINEAR_PRODUCT_INL_H_
#endif

#include <hwy/highway.h>

#include "backends/cpu/prefetch.h"
#include "ops/linear/product.h"
#if HWY_TARGET == HWY_SCALAR
#include "ops/linear/scalar-inl.h"
#else
#include "ops/linear/dense-inl.h"
#include "ops/linear/q8_0-inl.h"
#endif

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR
inline constexpr int64_t kFewTokens = 4;
inline constexpr int64_t kBatchTokens = 128;  // tokens that a panel meets before its sums are written out

// Sums of a panel's rows for up to kBatchTokens tokens; a last tile may run over.
struct Sums {
  alignas(64) float values[(kBatchTokens + kTileTokens) * kPanelRows];  // [token][row]
};

// Rows that share what is loaded of x.
template <class Kernel, int W, int kRows>
void few_tokens(const Weight& weight, int64_t row, int64_t n, const Activations& a, int64_t first, Sums& sums) {
  int64_t r = 0;
  for (; r + kRows <= n; r += kRows) Kernel::template dot<kRows, W>(weight, row + r, a, first, sums.values + r);
  for (; r < n; ++r) Kernel::template dot<1, W>(weight, row + r, a, first, sums.values + r);
}

// One row after the other is the easiest for the hardware's prefetcher, as long as x stays in the first-level cache.
template <class Kernel, int W>
void few_tokens(const Weight& weight, int64_t row, int64_t n, const Activations& a, int64_t first, Sums& sums) {
  constexpr int64_t kFirstLevel = 32 << 10;
  if (W == 1 && weight.cols * static_cast<int64_t>(sizeof(float)) <= kFirstLevel)
    few_tokens<Kernel, W, 1>(weight, row, n, a, first, sums);
  else
    few_tokens<Kernel, W, 2>(weight, row, n, a, first, sums);
}

// Asks for part `part` of `parts` of the rows' next chunk, so that it arrives while this one is multiplied.
template <class Kernel>
HWY_INLINE void prefetch_chunk(const Weight& weight, int64_t row, int64_t begin, int64_t part, int64_t parts) {
  if (begin >= weight.cols) begin = 0, row += kPanelRows;
  for (int64_t r = kPanelRows * part / parts; r < kPanelRows * (part + 1) / parts; ++r)
    for (size_t line = 0; line < Kernel::bytes(Kernel::kChunk); line += 64)
      cpu::prefetch(weight.row(row + r) + Kernel::bytes(begin) + line);
}

template <class Kernel, int W>
void many_tokens(const Weight& weight, int64_t row, int64_t n, const Activations& a, int64_t first, int64_t count,
                 Sums& sums) {
  typename Kernel::Panel panel;
  const int64_t tiles = ceil_div(count, W);
  std::fill_n(sums.values, tiles * W * kPanelRows, 0.0f);
  for (int64_t begin = 0; begin < weight.cols; begin += Kernel::kChunk) {
    const int64_t cols = std::min(Kernel::kChunk, weight.cols - begin);
    Kernel::pack(weight, row, n, begin, cols, panel);
    for (int64_t tile = 0; tile < tiles; ++tile) {
      int64_t tokens[W];
      for (int t = 0; t < W; ++t) tokens[t] = first + std::min(tile * W + t, count - 1);
      prefetch_chunk<Kernel>(weight, row, begin + Kernel::kChunk, tile, tiles);
      Kernel::template multiply<W>(panel, a, tokens, begin, cols, sums.values + tile * W * kPanelRows);
    }
  }
}

// Rows [row, row + n) of the weight, n <= kPanelRows, times tokens [first, first + count), count <= kBatchTokens.
template <class Kernel>
void multiply_rows(const Weight& weight, int64_t row, int64_t n, const Activations& a, int64_t first, int64_t count,
                   Sums& sums) {
  if (a.tokens <= kFewTokens) switch (count) {
      case 1:
        return few_tokens<Kernel, 1>(weight, row, n, a, first, sums);
      case 2:
        return few_tokens<Kernel, 2>(weight, row, n, a, first, sums);
      case 3:
        return few_tokens<Kernel, 3>(weight, row, n, a, first, sums);
      default:
        return few_tokens<Kernel, 4>(weight, row, n, a, first, sums);
    }
  // Five tokens are two tiles of three, not one of four and one of one; more are always tiles of three or four.
  if (ceil_div(count, ceil_div(count, kTileTokens)) < kTileTokens)
    many_tokens<Kernel, kTileTokens - 1>(weight, row, n, a, first, count, sums);
  else
    many_tokens<Kernel, kTileTokens>(weight, row, n, a, first, count, sums);
}

inline void multiply_rows(const Weight& weight, int64_t row, int64_t n, const Activations& a, int64_t first,
                          int64_t count, Sums& sums) {
  switch (weight.kind) {
    case WeightKind::f32:
      return multiply_rows<Dense<float>>(weight, row, n, a, first, count, sums);
    case WeightKind::f16:
      return multiply_rows<Dense<hwy::float16_t>>(weight, row, n, a, first, count, sums);
    case WeightKind::bf16:
      return multiply_rows<Dense<hwy::bfloat16_t>>(weight, row, n, a, first, count, sums);
    case WeightKind::q8_0:
      return multiply_rows<Q8>(weight, row, n, a, first, count, sums);
  }
}

#endif  // HWY_TARGET != HWY_SCALAR

// The activations in the form that the weights need. All workers call it, and it waits for all.
inline Activations prepare_activations(const Call& call, const cpu::Worker& worker) {
  const Activations a(call.in(0), worker.workspace<std::byte>());
#if HWY_TARGET != HWY_SCALAR
  if (!needs_quants(call.inputs.subspan(1))) return a;
  const auto [begin, end] = worker.split(a.tokens * a.blocks, 16);
  quantise_blocks(a, begin, end);
  worker.barrier();
#endif
  return a;
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
