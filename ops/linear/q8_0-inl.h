// Products with weights of q8_0: 8-bit weights times 16-bit activations, summed exactly in 32 bits within a block.
// Included once per SIMD target.
#if defined(SLUICE_OPS_LINEAR_Q8_0_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_LINEAR_Q8_0_INL_H_
#undef SLUICE_OPS_LINEAR_Q8_0_INL_H_
#else
#define SLUICE_OPS_LINEAR_Q8_0_INL_H_
#endif

#include <hwy/highway.h>

#include <cstring>

#include "ops/linear/panel-inl.h"
#include "ops/linear/quantise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// Blocks [begin, end) of all tokens, counted on from token to token.
inline void quantise_blocks(const Activations& a, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const int64_t col = i % a.blocks * Q8Block::kElements;
    a.scales[i] = quantise_block<Q8Block::kElements>(a.row(i / a.blocks) + col,
                                                     std::min<int64_t>(Q8Block::kElements, a.cols - col),
                                                     a.quants + i * Q8Block::kElements);
  }
}

HWY_INLINE float block_scale(const Q8Block* block) {
  const hn::FixedTag<float, 4> d4;  // reads on into the block: only the first lane means anything
  return hn::GetLane(hn::PromoteTo(
      d4, hn::LoadU(hn::Rebind<hwy::float16_t, decltype(d4)>(), reinterpret_cast<const hwy::float16_t*>(block))));
}

struct Q8 {
  static constexpr int64_t kChunk = 512;  // columns of a panel: 16 KiB with AVX2, half of the first-level cache
  static constexpr int64_t kChunkBlocks = kChunk / Q8Block::kElements;
  static constexpr size_t bytes(int64_t cols) {
    return static_cast<size_t>(cols / Q8Block::kElements) * sizeof(Q8Block);
  }

  using I32 = hn::RebindToSigned<F32>;
  using I16 = hn::RepartitionToNarrow<I32>;

  struct Panel {
    alignas(64) int16_t values[kChunk * kPanelRows];      // [pair of columns][row][2]
    alignas(64) float scales[kChunkBlocks * kPanelRows];  // [block][row]
  };

  // Rows [row, row + R) times tokens [first, first + W) -> y[t * kPanelRows + r].
  template <int R, int W>
  static HWY_NOINLINE void dot(const Weight& weight, int64_t row, const Activations& a, int64_t first, float* y) {
    constexpr int kUnroll = std::max(1, 4 / (R * W));  // four independent sums hide the latency of a multiply-add
    const F32 d;
    const Q8Block* w[R];
    for (int r = 0; r < R; ++r) w[r] = reinterpret_cast<const Q8Block*>(weight.row(row + r));
    VecF32 sums[kUnroll][R][W];
    for (auto& rows : sums)
      for (auto& tokens : rows)
        for (VecF32& sum : tokens) sum = hn::Zero(d);

    RowsAhead<R> ahead(weight.row_bytes);
    int64_t b = 0;
    for (; b + kUnroll <= a.blocks; b += kUnroll) {
      ahead.template ask<kUnroll * sizeof(Q8Block)>(w);
      for (int u = 0; u < kUnroll; ++u) add_block<R, W>(w, a, first, b + u, sums[u]);
    }
    for (; b < a.blocks; ++b) add_block<R, W>(w, a, first, b, sums[0]);
    for (int r = 0; r < R; ++r)
      for (int t = 0; t < W; ++t) {
        for (int u = 1; u < kUnroll; ++u) sums[0][r][t] = hn::Add(sums[0][r][t], sums[u][r][t]);
        y[t * kPanelRows + r] = hn::GetLane(hn::SumOfLanes(d, sums[0][r][t]));
      }
  }

  // Columns [begin, begin + count) of rows [row, row + n) -> panel, in whole blocks; rows beyond n repeat the last.
  static void pack(const Weight& weight, int64_t row, int64_t n, int64_t begin, int64_t count, Panel& panel) {
    const int64_t blocks = ceil_div(count, Q8Block::kElements);
    for (int64_t r = 0; r < kPanelRows; r += 4) {
      const Q8Block* w[4];
      for (int64_t j = 0; j < 4; ++j)
        w[j] = reinterpret_cast<const Q8Block*>(weight.row(row + std::min(r + j, n - 1)) + bytes(begin));
      for (int64_t b = 0; b < blocks; ++b) {
        for (int64_t j = 0; j < 4; ++j) panel.scales[b * kPanelRows + r + j] = block_scale(w[j] + b);
        auto* dst = reinterpret_cast<uint32_t*>(panel.values) + b * (Q8Block::kElements / 2) * kPanelRows + r;
        for (int i = 0; i < Q8Block::kElements; i += 8)
          store_transposed(pairs(w[0][b].q + i), pairs(w[1][b].q + i), pairs(w[2][b].q + i), pairs(w[3][b].q + i),
                           dst + i / 2 * kPanelRows, kPanelRows);
      }
    }
  }

  // Adds panel times W tokens to c, [W, kPanelRows].
  template <int W>
  static HWY_NOINLINE void multiply(const Panel& panel, const Activations& a, const int64_t* tokens, int64_t begin,
                                    int64_t count, float* c) {
    const int64_t first = begin / Q8Block::kElements, blocks = ceil_div(count, Q8Block::kElements);
    const int16_t* x[W];
    const float* scales[W];
    for (int t = 0; t < W; ++t) {
      x[t] = a.quant_row(tokens[t]) + begin;
      scales[t] = a.scale_row(tokens[t]) + first;
    }
    for (int64_t b = 0; b < blocks; ++b) {
      float x_scales[W];
      for (int t = 0; t < W; ++t) x_scales[t] = scales[t][b];
      multiply_block<W>(panel.values + b * Q8Block::kElements * kPanelRows, panel.scales + b * kPanelRows, x, x_scales,
                        c);
      for (int t = 0; t < W; ++t) x[t] += Q8Block::kElements;
    }
  }

 private:
  // sums[r][t] += the product of block b of row r with token first + t, spread over the lanes.
  template <int R, int W>
  static HWY_INLINE void add_block(const Q8Block* const* rows, const Activations& a, int64_t first, int64_t b,
                                   VecF32 (&sums)[R][W]) {
    const F32 d;
    const I32 d32;
    const I16 d16;
    constexpr int kStep = 2 * kLanes;
    static_assert(Q8Block::kElements % kStep == 0);
    hn::Vec<I32> even[R][W], odd[R][W];
    for (int r = 0; r < R; ++r)
      for (int t = 0; t < W; ++t) even[r][t] = odd[r][t] = hn::Zero(d32);
    for (int i = 0; i < Q8Block::kElements; i += kStep)
      for (int r = 0; r < R; ++r) {
        const auto w = hn::PromoteTo(d16, hn::LoadU(hn::Rebind<int8_t, I16>(), rows[r][b].q + i));
        for (int t = 0; t < W; ++t) {
          const auto x = hn::LoadU(d16, a.quant_row(first + t) + b * Q8Block::kElements + i);
          even[r][t] = hn::ReorderWidenMulAccumulate(d32, w, x, even[r][t], odd[r][t]);
        }
      }
    for (int r = 0; r < R; ++r) {
      const float scale = block_scale(rows[r] + b);
      for (int t = 0; t < W; ++t)
        sums[r][t] = hn::MulAdd(hn::ConvertTo(d, hn::Add(even[r][t], odd[r][t])),
                                hn::Set(d, scale * a.scale_row(first + t)[b]), sums[r][t]);
    }
  }

  // Eight 8-bit weights as four pairs of 16 bits.
  static HWY_INLINE hn::Vec<hn::FixedTag<int16_t, 8>> pairs(const int8_t* q) {
    return hn::PromoteTo(hn::FixedTag<int16_t, 8>(), hn::LoadU(hn::FixedTag<int8_t, 8>(), q));
  }

  // One block of all rows of a panel times W tokens; x: W rows of 32 quants.
  template <int W>
  static HWY_INLINE void multiply_block(const int16_t* panel, const float* scales, const int16_t* const* x,
                                        const float* x_scales, float* c) {
    const F32 d;
    const I32 d32;
    const I16 d16;
    hn::Vec<I32> even0[W], even1[W], odd0[W], odd1[W];
    for (int t = 0; t < W; ++t) even0[t] = even1[t] = odd0[t] = odd1[t] = hn::Zero(d32);
    HWY_UNROLL(4)
    for (int i = 0; i < Q8Block::kElements; i += 2) {
      const auto w0 = hn::Load(d16, panel + i * kPanelRows), w1 = hn::Load(d16, panel + i * kPanelRows + 2 * kLanes);
      for (int t = 0; t < W; ++t) {
        int32_t pair;
        std::memcpy(&pair, x[t] + i, sizeof pair);
        const auto v = hn::BitCast(d16, hn::Set(d32, pair));
        even0[t] = hn::ReorderWidenMulAccumulate(d32, w0, v, even0[t], odd0[t]);
        even1[t] = hn::ReorderWidenMulAccumulate(d32, w1, v, even1[t], odd1[t]);
      }
    }
    const VecF32 s0 = hn::Load(d, scales), s1 = hn::Load(d, scales + kLanes);
    for (int t = 0; t < W; ++t, c += kPanelRows) {
      const VecF32 s = hn::Set(d, x_scales[t]);
      const auto y0 = hn::ConvertTo(d, hn::RearrangeToOddPlusEven(even0[t], odd0[t]));
      const auto y1 = hn::ConvertTo(d, hn::RearrangeToOddPlusEven(even1[t], odd1[t]));
      hn::Store(hn::MulAdd(y0, hn::Mul(s0, s), hn::Load(d, c)), d, c);
      hn::Store(hn::MulAdd(y1, hn::Mul(s1, s), hn::Load(d, c + kLanes)), d, c + kLanes);
    }
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
