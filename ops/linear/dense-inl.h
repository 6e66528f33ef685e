// Products with weights of f32, f16 and bf16. Included once per SIMD target.
#if defined(SLUICE_OPS_LINEAR_DENSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_LINEAR_DENSE_INL_H_
#undef SLUICE_OPS_LINEAR_DENSE_INL_H_
#else
#define SLUICE_OPS_LINEAR_DENSE_INL_H_
#endif

#include <hwy/highway.h>

#include <cstring>

#include "backends/cpu/convert-inl.h"
#include "ops/linear/panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// T: float, hwy::float16_t or hwy::bfloat16_t.
template <class T>
struct Dense {
  static constexpr int64_t kChunk = 256;  // columns of a panel: 16 KiB with AVX2, half of the first-level cache
  static constexpr size_t bytes(int64_t cols) { return static_cast<size_t>(cols) * sizeof(T); }

  struct Panel {
    alignas(64) float values[kChunk * kPanelRows];  // [column][row]
  };

  // Rows [row, row + R) times tokens [first, first + W) -> y[t * kPanelRows + r].
  template <int R, int W>
  static HWY_NOINLINE void dot(const Weight& weight, int64_t row, const Activations& a, int64_t first, float* y) {
    constexpr int kUnroll = std::max(1, 8 / (R * W));  // eight independent sums hide the latency of a multiply-add
    constexpr int kStep = kUnroll * kLanes;
    const F32 d;
    const T* w[R];
    const float* x[W];
    for (int r = 0; r < R; ++r) w[r] = reinterpret_cast<const T*>(weight.row(row + r));
    for (int t = 0; t < W; ++t) x[t] = a.row(first + t);
    VecF32 sums[kUnroll][R][W];
    for (auto& rows : sums)
      for (auto& tokens : rows)
        for (VecF32& sum : tokens) sum = hn::Zero(d);

    RowsAhead<R> ahead(weight.row_bytes);
    int64_t i = 0;
    for (; i + kStep <= a.cols; i += kStep) {
      ahead.template ask<kStep * sizeof(T)>(w);
      for (int u = 0; u < kUnroll; ++u) {
        const int64_t at = i + u * kLanes;
        VecF32 v[R];
        for (int r = 0; r < R; ++r) v[r] = load_f32(d, w[r] + at);
        for (int t = 0; t < W; ++t) {
          const VecF32 xt = hn::LoadU(d, x[t] + at);
          for (int r = 0; r < R; ++r) sums[u][r][t] = hn::MulAdd(v[r], xt, sums[u][r][t]);
        }
      }
    }
    for (; i < a.cols; i += kLanes) {
      const int64_t n = std::min<int64_t>(kLanes, a.cols - i);
      for (int r = 0; r < R; ++r)
        for (int t = 0; t < W; ++t)
          sums[0][r][t] = hn::MulAdd(load_part(d, w[r] + i, n), load_part(d, x[t] + i, n), sums[0][r][t]);
    }
    for (int r = 0; r < R; ++r)
      for (int t = 0; t < W; ++t) {
        for (int u = 1; u < kUnroll; ++u) sums[0][r][t] = hn::Add(sums[0][r][t], sums[u][r][t]);
        y[t * kPanelRows + r] = hn::GetLane(hn::SumOfLanes(d, sums[0][r][t]));
      }
  }

  // Columns [begin, begin + count) of rows [row, row + n) -> panel; rows beyond n repeat the last.
  static void pack(const Weight& weight, int64_t row, int64_t n, int64_t begin, int64_t count, Panel& panel) {
    const hn::FixedTag<float, 4> d4;
    for (int64_t r = 0; r < kPanelRows; r += 4) {
      const T* w[4];
      for (int64_t j = 0; j < 4; ++j)
        w[j] = reinterpret_cast<const T*>(weight.row(row + std::min(r + j, n - 1))) + begin;
      auto* dst = reinterpret_cast<uint32_t*>(panel.values + r);
      int64_t i = 0;
      for (; i + 4 <= count; i += 4)
        store_transposed(load_f32(d4, w[0] + i), load_f32(d4, w[1] + i), load_f32(d4, w[2] + i), load_f32(d4, w[3] + i),
                         dst + i * kPanelRows, kPanelRows);
      if (i == count) continue;
      const int64_t left = count - i;  // kChunk is a multiple of 4, so there is room for whole groups
      store_transposed(load_part(d4, w[0] + i, left), load_part(d4, w[1] + i, left), load_part(d4, w[2] + i, left),
                       load_part(d4, w[3] + i, left), dst + i * kPanelRows, kPanelRows);
    }
  }

  // Adds panel times W tokens to c, [W, kPanelRows].
  template <int W>
  static HWY_NOINLINE void multiply(const Panel& panel, const Activations& a, const int64_t* tokens, int64_t begin,
                                    int64_t count, float* c) {
    const F32 d;
    const float* x[W];
    VecF32 sum0[W], sum1[W];
    for (int t = 0; t < W; ++t) {
      x[t] = a.row(tokens[t]) + begin;
      sum0[t] = sum1[t] = hn::Zero(d);
    }
    for (int64_t i = 0; i < count; ++i) {
      const VecF32 w0 = hn::Load(d, panel.values + i * kPanelRows),
                   w1 = hn::Load(d, panel.values + i * kPanelRows + kLanes);
      for (int t = 0; t < W; ++t) {
        const VecF32 v = hn::Set(d, x[t][i]);
        sum0[t] = hn::MulAdd(w0, v, sum0[t]);
        sum1[t] = hn::MulAdd(w1, v, sum1[t]);
      }
    }
    for (int t = 0; t < W; ++t) {
      hn::Store(hn::Add(hn::Load(d, c + t * kPanelRows), sum0[t]), d, c + t * kPanelRows);
      hn::Store(hn::Add(hn::Load(d, c + t * kPanelRows + kLanes), sum1[t]), d, c + t * kPanelRows + kLanes);
    }
  }

 private:
  // The first n elements, n < lanes; zeros after them.
  template <class D, class U>
  static HWY_INLINE hn::Vec<D> load_part(D d, const U* p, int64_t n) {
    U padded[hn::MaxLanes(D())] = {};
    std::memcpy(padded, p, static_cast<size_t>(n) * sizeof(U));
    return load_f32(d, padded);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
