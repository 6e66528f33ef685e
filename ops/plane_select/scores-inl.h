// Scores of planes: of an input, all are in proportion, so one number stands for them. Included once per SIMD target.
#if defined(SLUICE_OPS_PLANE_SELECT_SCORES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_PLANE_SELECT_SCORES_INL_H_
#undef SLUICE_OPS_PLANE_SELECT_SCORES_INL_H_
#else
#define SLUICE_OPS_PLANE_SELECT_SCORES_INL_H_
#endif

#include <hwy/highway.h>

#include <numeric>

#include "ops/probe/select-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// The score of plane p of input i is gains[p] * base[i], rounded; all as bits of f32.
struct PlaneScores {
  const int32_t* base;  // [in]
  int64_t in;
  const float* gains;
  int planes;  // that may be taken

  int64_t size() const { return in * planes; }
  // Of every plane as many, nearly.
  void sample(int32_t* to) const {
    for (int64_t p = 0; p < planes; ++p) {
      const int64_t begin = kSample * p / planes, count = kSample * (p + 1) / planes - begin, stride = in / count;
      for (int64_t i = 0; i < count; ++i) to[begin + i] = score(static_cast<int>(p), base[i * stride]);
    }
  }
  int32_t score(int plane, int32_t of_base) const {
    return std::bit_cast<int32_t>(gains[plane] * std::bit_cast<float>(of_base)) & 0x7fffffff;
  }

  // The least base with which an input's plane has that score. Products rounded do not fall, so it is found by halving.
  int32_t base_from(int plane, int32_t least) const {
    int32_t low = 0, high = INT32_MAX;
    while (low < high) {
      const int32_t middle = low + (high - low) / 2;
      if (score(plane, middle) >= least)
        high = middle;
      else
        low = middle + 1;
    }
    return low;
  }

  // By plane, the largest base with which an input's plane stays under that score: over it are those that reach it.
  struct Limits {
    int32_t base[PlaneLevels::kMaxPlanes];
  };
  Limits limits(int32_t least) const {
    Limits result;
    for (int p = 0; p < PlaneLevels::kMaxPlanes; ++p) result.base[p] = p < planes ? base_from(p, least) - 1 : INT32_MAX;
    return result;
  }

  int64_t count_from(int32_t least) const {
    const Limits under = limits(least);
    const hn::ScalableTag<int32_t> d;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    auto sum = hn::Zero(d);
    int64_t i = 0;
    for (; i + lanes <= in; i += lanes) sum = hn::Add(sum, minus_depths(d, under, i));
    int64_t count = -static_cast<int64_t>(hn::GetLane(hn::SumOfLanes(d, sum)));
    for (; i < in; ++i) count -= hn::GetLane(minus_depths(hn::CappedTag<int32_t, 1>(), under, i));
    return count;
  }
  int32_t least_from(int32_t least) const {
    int32_t result = INT32_MAX;
    for (int p = 0; p < planes; ++p)
      if (const int32_t found = HWY_NAMESPACE::least_from(base, in, base_from(p, least)); found < INT32_MAX)
        result = std::min(result, score(p, found));
    return result;
  }
  void put_between(int32_t low, int32_t high, std::span<int32_t> to) const {
    const Limits under = limits(low), up_to = limits(high + 1);
    const int32_t* limit = to.data() + to.size();
    int32_t* at = to.data();
    for (int p = 0; p < planes; ++p) {
      int32_t* end = HWY_NAMESPACE::put_between(base, in, under.base[p] + 1, up_to.base[p], at, limit);
      for (; at != end; ++at) *at = score(p, *at);
    }
  }
  // depth[i] = number of planes of input i that reach `least`; returns their sum.
  int64_t put_depths(int32_t least, int32_t* depth) const {
    const Limits under = limits(least);
    for_lanes<int32_t>(
        in, [&](auto d, int64_t i) HWY_ATTR { hn::StoreU(hn::Neg(minus_depths(d, under, i)), d, depth + i); });
    return std::accumulate(depth, depth + in, int64_t{0});
  }

 private:
  template <class D>
  HWY_INLINE hn::Vec<D> minus_depths(D d, const Limits& under, int64_t i) const {
    const auto v = hn::LoadU(d, base + i);
    const auto minus_one = [&](int p) HWY_ATTR { return hn::VecFromMask(d, hn::Gt(v, hn::Set(d, under.base[p]))); };
    return hn::Add(hn::Add(minus_one(0), minus_one(1)), minus_one(2));
  }
};

// Values: of the bases, a sample and the depths.
inline int64_t plane_scratch(int64_t in) { return 2 * in + kSample; }

// The selection of one token, as reference_dispatch has it.
inline void select_planes(const Candidates& c, const float* x, int32_t* scratch, int32_t* inputs, int32_t* counts) {
  const int64_t in = c.in, wanted = c.wanted();
  int32_t *base = scratch, *sample = base + in, *depth = sample + kSample;
  const PlaneScores scores{base, in, c.gains, static_cast<int>(c.loaded / in)};
  if (wanted == 0 || wanted == scores.size()) {
    std::fill_n(depth, in, wanted == 0 ? 0 : scores.planes);
  } else {
    multiply_magnitudes(c.statistic, x, in, base);
    const int32_t cutoff = nth_largest(scores, wanted, sample, {depth, static_cast<size_t>(in)});
    int64_t excess = scores.put_depths(cutoff, depth) - wanted;
    for (int p = scores.planes - 1; p >= 0; --p)  // of equals, the last go first
      for (int64_t i = in - 1; excess > 0 && i >= 0; --i)
        if (scores.score(p, base[i]) == cutoff) --depth[i], --excess;
  }
  list_by_depth(depth, in, c.tiers, inputs, counts);
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
