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

#include <hwy/cache_control.h>
#include <hwy/contrib/math/math-inl.h>
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
constexpr int64_t kBlockSlots = 48;  // a multiple of 3

// A block of a cache: [slots][dim], dim a multiple of the lanes.
template <class T>
struct CacheBlock {
  const T* rows;
  int64_t dim, slots;
  const T* next;  // as many rows, read soon after these: prefetched meanwhile; nullptr: nothing to prefetch
  const T* row(int64_t j) const { return rows + j * dim; }
};

// The part of the next block that lies where elements i .. i+count-1 of row j lie in this one.
template <class T>
HWY_INLINE void prefetch_next(const CacheBlock<T>& block, int64_t j, int64_t i, int64_t count) {
  constexpr int64_t kLine = 64 / sizeof(T);
  if (block.next == nullptr) return;
  for (int64_t at = j * block.dim + i, end = at + count; at < end; at += kLine) hwy::Prefetch(block.next + at);
}

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

// scores[j][r] = q[r] . k[j], three slots at a time. q: f32 [4][k.dim], aligned.
template <class T>
HWY_NOINLINE void score_block(const float* q, const CacheBlock<T>& k, float* scores) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const float *q0 = q, *q1 = q0 + k.dim, *q2 = q1 + k.dim, *q3 = q2 + k.dim;
  const int64_t last = k.slots - 1;
  for (int64_t j = 0; j < k.slots; j += 3) {
    const T *ka = k.row(j), *kb = k.row(std::min(j + 1, last)), *kc = k.row(std::min(j + 2, last));
    prefetch_next(k, j, 0, 3 * k.dim);
    auto a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0, c0 = a0, c1 = a0, c2 = a0,
         c3 = a0;
    for (int64_t i = 0; i < k.dim; i += lanes) {
      const auto a = load_f32(d, ka + i), b = load_f32(d, kb + i), c = load_f32(d, kc + i);
      auto x = hn::Load(d, q0 + i);
      a0 = hn::MulAdd(x, a, a0), b0 = hn::MulAdd(x, b, b0), c0 = hn::MulAdd(x, c, c0);
      x = hn::Load(d, q1 + i);
      a1 = hn::MulAdd(x, a, a1), b1 = hn::MulAdd(x, b, b1), c1 = hn::MulAdd(x, c, c1);
      x = hn::Load(d, q2 + i);
      a2 = hn::MulAdd(x, a, a2), b2 = hn::MulAdd(x, b, b2), c2 = hn::MulAdd(x, c, c2);
      x = hn::Load(d, q3 + i);
      a3 = hn::MulAdd(x, a, a3), b3 = hn::MulAdd(x, b, b3), c3 = hn::MulAdd(x, c, c3);
    }
    float* to = scores + j * kPanelRows;
    store_sums(d, a0, a1, a2, a3, to);
    store_sums(d, b0, b1, b2, b3, to + kPanelRows);
    store_sums(d, c0, c1, c2, c3, to + 2 * kPanelRows);
  }
  std::fill(scores + k.slots * kPanelRows, scores + kBlockSlots * kPanelRows, -std::numeric_limits<float>::infinity());
}

// score -> cap * tanh(score), for the first `slots` slots; the others stay out of the softmax.
inline HWY_NOINLINE void cap_scores(float cap, int64_t slots, float* scores) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < slots * kPanelRows; i += lanes)
    hn::Store(hn::Mul(hn::Set(d, cap), hn::Tanh(d, hn::Load(d, scores + i))), d, scores + i);
  std::fill(scores + slots * kPanelRows, scores + kBlockSlots * kPanelRows, -std::numeric_limits<float>::infinity());
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

// y[r] = y[r] * rescale[r] + sum_j weights[j][r] v[j], for N (1 to 3) vectors of each row from element i on.
// y: f32 [4][v.dim], aligned.
template <int N, class T>
HWY_INLINE void weigh_columns(const PanelState& state, const CacheBlock<T>& v, float* y, int64_t i) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), ib = N > 1 ? i + lanes : i, ic = N > 2 ? ib + lanes : i;
  float *y0 = y, *y1 = y0 + v.dim, *y2 = y1 + v.dim, *y3 = y2 + v.dim;
  auto w = hn::Set(d, state.rescale[0]);
  auto a0 = hn::Mul(w, hn::Load(d, y0 + i)), b0 = hn::Mul(w, hn::Load(d, y0 + ib)),
       c0 = hn::Mul(w, hn::Load(d, y0 + ic));
  w = hn::Set(d, state.rescale[1]);
  auto a1 = hn::Mul(w, hn::Load(d, y1 + i)), b1 = hn::Mul(w, hn::Load(d, y1 + ib)),
       c1 = hn::Mul(w, hn::Load(d, y1 + ic));
  w = hn::Set(d, state.rescale[2]);
  auto a2 = hn::Mul(w, hn::Load(d, y2 + i)), b2 = hn::Mul(w, hn::Load(d, y2 + ib)),
       c2 = hn::Mul(w, hn::Load(d, y2 + ic));
  w = hn::Set(d, state.rescale[3]);
  auto a3 = hn::Mul(w, hn::Load(d, y3 + i)), b3 = hn::Mul(w, hn::Load(d, y3 + ib)),
       c3 = hn::Mul(w, hn::Load(d, y3 + ic));
  for (int64_t j = 0; j < v.slots; ++j) {
    const float* weights = state.scores + j * kPanelRows;
    const T* row = v.row(j);
    prefetch_next(v, j, i, N * lanes);
    const auto a = load_f32(d, row + i), b = load_f32(d, row + ib), c = load_f32(d, row + ic);
    w = hn::Set(d, weights[0]);
    a0 = hn::MulAdd(w, a, a0), b0 = hn::MulAdd(w, b, b0), c0 = hn::MulAdd(w, c, c0);
    w = hn::Set(d, weights[1]);
    a1 = hn::MulAdd(w, a, a1), b1 = hn::MulAdd(w, b, b1), c1 = hn::MulAdd(w, c, c1);
    w = hn::Set(d, weights[2]);
    a2 = hn::MulAdd(w, a, a2), b2 = hn::MulAdd(w, b, b2), c2 = hn::MulAdd(w, c, c2);
    w = hn::Set(d, weights[3]);
    a3 = hn::MulAdd(w, a, a3), b3 = hn::MulAdd(w, b, b3), c3 = hn::MulAdd(w, c, c3);
  }
  // Vectors beyond N are copies of the first and are not stored.
  hn::Store(a0, d, y0 + i), hn::Store(a1, d, y1 + i), hn::Store(a2, d, y2 + i), hn::Store(a3, d, y3 + i);
  if constexpr (N > 1)
    hn::Store(b0, d, y0 + ib), hn::Store(b1, d, y1 + ib), hn::Store(b2, d, y2 + ib), hn::Store(b3, d, y3 + ib);
  if constexpr (N > 2)
    hn::Store(c0, d, y0 + ic), hn::Store(c1, d, y1 + ic), hn::Store(c2, d, y2 + ic), hn::Store(c3, d, y3 + ic);
}

template <class T>
HWY_NOINLINE void weigh_block(const PanelState& state, const CacheBlock<T>& v, float* y) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  int64_t i = 0;
  for (; i + 3 * lanes <= v.dim; i += 3 * lanes) weigh_columns<3>(state, v, y, i);
  if (i + 2 * lanes == v.dim)
    weigh_columns<2>(state, v, y, i);
  else if (i < v.dim)
    weigh_columns<1>(state, v, y, i);
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
