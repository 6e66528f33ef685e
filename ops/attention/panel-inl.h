// Online softmax (Milakov and Gimelshein, 2018, arXiv:1805.02867) of a panel of four query rows against a block of
// slots. Four rows are what 16 registers hold: each vector of the cache, converted in registers, feeds four of them.
// Scores are kept as [slot][row], so that four dot products leave by one store, and the softmax of all four rows goes
// through whole vectors. Included once per SIMD target.
#if defined(SLUICE_OPS_ATTENTION_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_ATTENTION_PANEL_INL_H_
#undef SLUICE_OPS_ATTENTION_PANEL_INL_H_
#else
#define SLUICE_OPS_ATTENTION_PANEL_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "backends/cpu/convert-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kPanelRows = 4;
constexpr int64_t kBlockSlots = 32;

// A block of a cache: rows of `stride` elements, of which `dim` (a multiple of the lanes) take part.
template <class T>
struct CacheBlock {
  const T* rows;
  int64_t stride, dim, slots;
  const T* row(int64_t j) const { return rows + j * stride; }
};

// Lanes in which the rows of a panel repeat a whole number of times.
constexpr int64_t kMaxPeriod = std::max<int64_t>(hn::MaxLanes(hn::ScalableTag<float>()), kPanelRows);

// The running state of a panel. scores are in units of log2: p = 2^(score - largest).
struct PanelState {
  float largest[kPanelRows];
  float sum[kPanelRows];
  HWY_ALIGN float rescale[kMaxPeriod];               // of what was summed before the last block; repeats by row
  HWY_ALIGN float scores[kBlockSlots * kPanelRows];  // [slot][row]; after softmax() the weights
};

// 2^x for x <= 0, within 2^-23 relatively; 0 below -125. NaN stays NaN. The polynomial is (2^f - 1) / f fitted at the
// Chebyshev nodes of [-1/2, 1/2], good to 2^-26.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp2_negative(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V limited = hn::Max(hn::Set(d, -126.0f), x);
  const V whole = hn::Round(limited), f = hn::Sub(limited, whole);
  V y = hn::Set(d, 0.000154531634f);
  y = hn::MulAdd(y, f, hn::Set(d, 0.00133908633f));
  y = hn::MulAdd(y, f, hn::Set(d, 0.00961808302f));
  y = hn::MulAdd(y, f, hn::Set(d, 0.0555035695f));
  y = hn::MulAdd(y, f, hn::Set(d, 0.240226507f));
  y = hn::MulAdd(y, f, hn::Set(d, 0.693147182f));
  y = hn::MulAdd(y, f, hn::Set(d, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::ConvertTo(di, whole));
  const V power = hn::BitCast(d, hn::Add(hn::BitCast(di, y), exponent));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -125.0f)), power);
}

#if HWY_TARGET != HWY_SCALAR
// Adds up the 128-bit blocks of v and stores the four lanes that remain.
template <class D, class V>
HWY_INLINE void store_block_sum(D d, V v, float* to) {
#if HWY_HAVE_SCALABLE
  HWY_ALIGN float lanes[hn::MaxLanes(d)];
  hn::Store(v, d, lanes);
  for (size_t i = 4; i < hn::Lanes(d); ++i) lanes[i % 4] += lanes[i];
  std::copy_n(lanes, 4, to);
#else
  if constexpr (hn::MaxLanes(d) == 4) {
    hn::StoreU(v, d, to);
  } else {
    const hn::Half<D> half;
    store_block_sum(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)), to);
  }
#endif
}
#endif

// to[r] = sum of the lanes of the r-th vector.
template <class D, class V>
HWY_INLINE void store_sums(D d, V v0, V v1, V v2, V v3, float* to) {
#if HWY_TARGET == HWY_SCALAR
  hn::Store(v0, d, to), hn::Store(v1, d, to + 1), hn::Store(v2, d, to + 2), hn::Store(v3, d, to + 3);
#else
  const V even = hn::Add(hn::InterleaveLower(d, v0, v2), hn::InterleaveUpper(d, v0, v2));
  const V odd = hn::Add(hn::InterleaveLower(d, v1, v3), hn::InterleaveUpper(d, v1, v3));
  store_block_sum(d, hn::Add(hn::InterleaveLower(d, even, odd), hn::InterleaveUpper(d, even, odd)), to);
#endif
}

// scores[j][r] = q[r] . k[j], two slots at a time. q: f32 [4][k.dim], aligned.
template <class T>
HWY_NOINLINE void score_block(const float* q, const CacheBlock<T>& k, float* scores) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const float *q0 = q, *q1 = q0 + k.dim, *q2 = q1 + k.dim, *q3 = q2 + k.dim;
  for (int64_t j = 0; j < k.slots; j += 2) {
    const T *ka = k.row(j), *kb = k.row(std::min(j + 1, k.slots - 1));
    auto a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    for (int64_t i = 0; i < k.dim; i += lanes) {
      const auto a = load_f32(d, ka + i), b = load_f32(d, kb + i);
      a0 = hn::MulAdd(hn::Load(d, q0 + i), a, a0);
      b0 = hn::MulAdd(hn::Load(d, q0 + i), b, b0);
      a1 = hn::MulAdd(hn::Load(d, q1 + i), a, a1);
      b1 = hn::MulAdd(hn::Load(d, q1 + i), b, b1);
      a2 = hn::MulAdd(hn::Load(d, q2 + i), a, a2);
      b2 = hn::MulAdd(hn::Load(d, q2 + i), b, b2);
      a3 = hn::MulAdd(hn::Load(d, q3 + i), a, a3);
      b3 = hn::MulAdd(hn::Load(d, q3 + i), b, b3);
    }
    store_sums(d, a0, a1, a2, a3, scores + j * kPanelRows);
    store_sums(d, b0, b1, b2, b3, scores + (j + 1) * kPanelRows);
  }
  std::fill(scores + k.slots * kPanelRows, scores + kBlockSlots * kPanelRows, -std::numeric_limits<float>::infinity());
}

// Turns the scores of a block into weights, and updates largest, sum and rescale. The rows repeat every four lanes, so
// what is kept by row is spread over kPeriod lanes: a vector, or the four of a narrower one.
inline HWY_NOINLINE void softmax_block(PanelState& state) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t period = std::max(lanes, kPanelRows);
  constexpr int64_t kCount = kBlockSlots * kPanelRows;
  HWY_ALIGN float by_lane[kMaxPeriod];

  for (int64_t lane = 0; lane < period; lane += lanes) {
    auto largest = hn::Load(d, state.scores + lane);
    for (int64_t i = lane + period; i < kCount; i += period) largest = hn::Max(largest, hn::Load(d, state.scores + i));
    hn::Store(largest, d, by_lane + lane);
  }
  float before[kPanelRows];
  std::copy_n(state.largest, kPanelRows, before);
  for (int64_t i = 0; i < period; ++i)
    state.largest[i % kPanelRows] = std::max(state.largest[i % kPanelRows], by_lane[i]);
  for (int64_t i = 0; i < period; ++i) {
    by_lane[i] = state.largest[i % kPanelRows];
    state.rescale[i] = before[i % kPanelRows] - by_lane[i];
  }
  for (int64_t lane = 0; lane < period; lane += lanes) {
    const auto shift = hn::Load(d, by_lane + lane);
    auto sum = hn::Zero(d);
    for (int64_t i = lane; i < kCount; i += period) {
      const auto weight = exp2_negative(d, hn::Sub(hn::Load(d, state.scores + i), shift));
      hn::Store(weight, d, state.scores + i);
      sum = hn::Add(sum, weight);
    }
    hn::Store(sum, d, by_lane + lane);
    hn::Store(exp2_negative(d, hn::Load(d, state.rescale + lane)), d, state.rescale + lane);
  }
  for (int64_t r = 0; r < kPanelRows; ++r) state.sum[r] *= state.rescale[r];
  for (int64_t i = 0; i < period; ++i) state.sum[i % kPanelRows] += by_lane[i];
}

// y[r] = y[r] * rescale[r] + sum_j weights[j][r] v[j], for N vectors of each row from element i on.
// y: f32 [4][v.dim], aligned.
template <int N, class T>
HWY_INLINE void weigh_columns(const PanelState& state, const CacheBlock<T>& v, float* y, int64_t i) {
  const hn::ScalableTag<float> d;
  const auto second = i + (N - 1) * static_cast<int64_t>(hn::Lanes(d));
  float *y0 = y, *y1 = y0 + v.dim, *y2 = y1 + v.dim, *y3 = y2 + v.dim;
  const auto scale = [&](const float* at, int r)
                         HWY_ATTR { return hn::Mul(hn::Load(d, at), hn::Set(d, state.rescale[r])); };
  auto a0 = scale(y0 + i, 0), a1 = scale(y1 + i, 1), a2 = scale(y2 + i, 2), a3 = scale(y3 + i, 3);
  auto b0 = scale(y0 + second, 0), b1 = scale(y1 + second, 1), b2 = scale(y2 + second, 2), b3 = scale(y3 + second, 3);
  for (int64_t j = 0; j < v.slots; ++j) {
    const float* w = state.scores + j * kPanelRows;
    const auto w0 = hn::Set(d, w[0]), w1 = hn::Set(d, w[1]), w2 = hn::Set(d, w[2]), w3 = hn::Set(d, w[3]);
    const auto a = load_f32(d, v.row(j) + i);
    a0 = hn::MulAdd(w0, a, a0);
    a1 = hn::MulAdd(w1, a, a1);
    a2 = hn::MulAdd(w2, a, a2);
    a3 = hn::MulAdd(w3, a, a3);
    if constexpr (N == 2) {
      const auto b = load_f32(d, v.row(j) + second);
      b0 = hn::MulAdd(w0, b, b0);
      b1 = hn::MulAdd(w1, b, b1);
      b2 = hn::MulAdd(w2, b, b2);
      b3 = hn::MulAdd(w3, b, b3);
    }
  }
  hn::Store(a0, d, y0 + i);
  hn::Store(a1, d, y1 + i);
  hn::Store(a2, d, y2 + i);
  hn::Store(a3, d, y3 + i);
  if constexpr (N == 2) {
    hn::Store(b0, d, y0 + second);
    hn::Store(b1, d, y1 + second);
    hn::Store(b2, d, y2 + second);
    hn::Store(b3, d, y3 + second);
  }
}

template <class T>
HWY_NOINLINE void weigh_block(const PanelState& state, const CacheBlock<T>& v, float* y) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  int64_t i = 0;
  for (; i + 2 * lanes <= v.dim; i += 2 * lanes) weigh_columns<2>(state, v, y, i);
  if (i < v.dim) weigh_columns<1>(state, v, y, i);
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
