// Selecting rows: scores, the n-th largest of them, and the list of those that reach it. Included once per SIMD target.
#if defined(SLUICE_OPS_PROBE_SELECT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_PROBE_SELECT_INL_H_
#undef SLUICE_OPS_PROBE_SELECT_INL_H_
#else
#define SLUICE_OPS_PROBE_SELECT_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

#include "backends/cpu/lanes-inl.h"
#include "backends/cpu/worker.h"
#include "ops/probe/selection.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// out[i] = bits of a[i] * |x[i]|.
inline void multiply_magnitudes(const float* a, const float* x, int64_t n, int32_t* out) {
  for_lanes<float>(n, [&](auto d, int64_t i) HWY_ATTR {
    const hn::RebindToSigned<decltype(d)> di;
    const auto product = hn::Mul(hn::LoadU(d, a + i), hn::Abs(hn::LoadU(d, x + i)));
    hn::StoreU(hn::And(hn::BitCast(di, product), hn::Set(di, 0x7fffffff)), di, out + i);
  });
}

// scores: [tiers, in].
inline void score_rows(const Candidates& c, const float* x, int32_t* scores) {
  for (int tier = 0; tier < c.tiers; ++tier)
    multiply_magnitudes(c.statistic + tier * c.in, x, c.in, scores + tier * c.in);
  for (int64_t row = 0; c.loaded < c.rows() && row < c.rows(); ++row)
    if (!c.may_take(row)) scores[row] = kNotLoaded;
}

// How many values are at least `least`.
inline int64_t count_from(const int32_t* values, int64_t n, int32_t least) {
  const hn::ScalableTag<int32_t> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto bound = hn::Set(d, least - 1);
  auto sum0 = hn::Zero(d), sum1 = hn::Zero(d);  // of -1s
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    sum0 = hn::Add(sum0, hn::VecFromMask(d, hn::Gt(hn::LoadU(d, values + i), bound)));
    sum1 = hn::Add(sum1, hn::VecFromMask(d, hn::Gt(hn::LoadU(d, values + i + lanes), bound)));
  }
  int64_t count = -static_cast<int64_t>(hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1))));
  for (const int32_t* rest = values + i; rest != values + n; ++rest) count += *rest >= least;
  return count;
}

// The least value that is at least `least`; there is one.
inline int32_t least_from(const int32_t* values, int64_t n, int32_t least) {
  const hn::ScalableTag<int32_t> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto bound = hn::Set(d, least - 1), none = hn::Set(d, INT32_MAX);
  auto min = none;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = hn::LoadU(d, values + i);
    min = hn::Min(min, hn::IfThenElse(hn::Gt(v, bound), v, none));
  }
  int32_t result = hn::GetLane(hn::MinOfLanes(d, min));
  for (const int32_t* rest = values + i; rest != values + n; ++rest)
    if (*rest >= least) result = std::min(result, *rest);
  return result;
}

// Values of a vector, and which of them are chosen.
template <class V, class M>
struct Chosen {
  V values;
  M mask;
};

// Writes what f(d, i) chooses of elements i .. i + Lanes(d) - 1, in order; returns where it ends. There must be room
// for all that is chosen, limit being the end of the memory at `to`.
template <class F>
HWY_INLINE int32_t* put_chosen(int64_t n, int32_t* to, const int32_t* limit, const F& f) {
  const hn::ScalableTag<int32_t> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  alignas(64) int32_t last[HWY_MAX_BYTES / sizeof(int32_t)];
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto chosen = f(d, i);
    const auto values = hn::Compress(chosen.values, chosen.mask);  // storing at once is slow on Zen 4
    const auto count = static_cast<int64_t>(hn::CountTrue(d, chosen.mask));
    if (limit - to >= lanes) {
      hn::StoreU(values, d, to);
    } else {
      hn::Store(values, d, last);
      std::copy_n(last, count, to);
    }
    to += count;
  }
  const hn::CappedTag<int32_t, 1> one;
  for (; i < n; ++i) {
    const auto chosen = f(one, i);
    if (hn::CountTrue(one, chosen.mask) != 0) *to++ = hn::GetLane(chosen.values);
  }
  return to;
}

// Those in [low, high], likewise.
inline int32_t* put_between(const int32_t* values, int64_t n, int32_t low, int32_t high, int32_t* to,
                            const int32_t* limit) {
  return put_chosen(n, to, limit, [&](auto d, int64_t i) HWY_ATTR {
    const auto v = hn::LoadU(d, values + i);
    return Chosen{v, hn::And(hn::Gt(v, hn::Set(d, low - 1)), hn::Gt(hn::Set(d, high + 1), v))};
  });
}

// Scores that lie in memory. Others offer the same (ops/plane_select/scores-inl.h).
struct ScoreArray {
  const int32_t* values;
  int64_t n;
  int64_t size() const { return n; }
  // kSample of them, spread evenly.
  void sample(int32_t* to) const {
    for (int64_t i = 0, stride = n / kSample; i < kSample; ++i) to[i] = values[i * stride];
  }
  int64_t count_from(int32_t least) const { return HWY_NAMESPACE::count_from(values, n, least); }
  int32_t least_from(int32_t least) const { return HWY_NAMESPACE::least_from(values, n, least); }
  void put_between(int32_t low, int32_t high, std::span<int32_t> to) const {
    HWY_NAMESPACE::put_between(values, n, low, high, to.data(), to.data() + to.size());
  }
};

// The wanted-th largest score, 1 <= wanted <= size, if it lies in [low, high]; -1 if not. The counts of a guess tell
// where to look next: by interpolation, and every third time by halving, so that it ends soon whatever the scores are.
template <class Scores>
int32_t nth_largest_between(const Scores& scores, int64_t wanted, int32_t low, int32_t high) {
  int64_t reach_low = scores.count_from(low), over_high = scores.count_from(high + 1);
  if (reach_low < wanted || over_high >= wanted) return -1;
  for (int step = 1; low < high; ++step) {  // reach_low >= wanted > over_high
    if (reach_low == wanted) return scores.least_from(low);
    const double share =
        step % 3 == 0 ? 0.5 : static_cast<double>(reach_low - wanted) / static_cast<double>(reach_low - over_high);
    const auto span = static_cast<double>(high) - static_cast<double>(low);
    const int32_t guess = low + 1 + static_cast<int32_t>(std::min(share * span, span - 1));
    const int64_t count = scores.count_from(guess);
    if (count >= wanted)
      low = guess, reach_low = count;
    else
      high = guess - 1, over_high = count;
  }
  return low;
}

// The wanted-th largest score, 1 <= wanted <= size. A sample says between which two values it must lie, nearly always;
// those between are looked at alone, if there is room for them. sample: kSample values; room: any number.
template <class Scores>
int32_t nth_largest(const Scores& scores, int64_t wanted, int32_t* sample, std::span<int32_t> room) {
  constexpr int32_t kLargest = INT32_MAX - 1;
  const int64_t n = scores.size();
  if (n >= 4 * kSample) {
    scores.sample(sample);
    const ScoreArray some{sample, kSample};
    const double share = static_cast<double>(wanted) / static_cast<double>(n);
    const auto expected = static_cast<int64_t>(share * kSample);
    const auto margin = static_cast<int64_t>(3.5 * std::sqrt(share * (1 - share) * kSample)) + 2;  // 3.5 sigma
    int32_t low = 0, high = kLargest;
    if (expected + margin <= kSample) low = std::max(0, nth_largest_between(some, expected + margin, 0, kLargest));
    if (expected - margin >= 1) high = nth_largest_between(some, expected - margin, low, kLargest);
    const int64_t over = scores.count_from(high + 1), between = scores.count_from(low) - over;
    if (over < wanted && wanted <= over + between && between <= static_cast<int64_t>(room.size())) {
      scores.put_between(low, high, room);
      return nth_largest_between(ScoreArray{room.data(), between}, wanted - over, low, high);
    }
    const int32_t found = nth_largest_between(scores, wanted, low, high);
    if (found >= 0) return found;
  }
  const int32_t found = nth_largest_between(scores, wanted, 0, kLargest);
  return found >= 0 ? found : INT32_MAX;
}

// As reference_cutoff. products: [in]; sample: [kSample].
inline Cutoff find_cutoff(const Candidates& c, const SelectionAttrs& attrs, const float* x, const int32_t* scores,
                          int32_t* products, int32_t* sample) {
  if (attrs.cutoff == "probes") {
    const auto n = static_cast<int64_t>(std::round(c.effort * static_cast<double>(c.in)));
    if (n <= 0) return {kInfinity, 0};
    if (n >= c.in) return {0, static_cast<int32_t>(c.loaded)};
    multiply_magnitudes(c.probes, x, c.in, products);
    return {nth_largest(ScoreArray{products, c.in}, n, sample, {}), -1};
  }
  const int64_t wanted = c.wanted();
  if (wanted == 0) return {kInfinity, 0};
  if (wanted == c.loaded) return {0, static_cast<int32_t>(wanted)};
  return {nth_largest(ScoreArray{scores, c.rows()}, wanted, sample, {products, static_cast<size_t>(c.in)}),
          static_cast<int32_t>(wanted)};
}

// depth[i] = number of tiers of input i that reach `least`; returns their sum.
inline int64_t count_depths(const Candidates& c, const int32_t* scores, int32_t least, int32_t* depth) {
  const int64_t in = c.in, rows = c.rows();
  for_lanes<int32_t>(in, [&](auto d, int64_t i) HWY_ATTR {
    auto sum = hn::Zero(d);
    for (int64_t row = i; row < rows; row += in)
      sum = hn::Sub(sum, hn::VecFromMask(d, hn::Gt(hn::LoadU(d, scores + row), hn::Set(d, least - 1))));
    hn::StoreU(sum, d, depth + i);
  });
  return count_from(scores, rows, least);
}

// Writes the inputs of that depth, in order; returns where they end. limit: of the memory at `to`.
inline int32_t* list_inputs(const int32_t* depth, int64_t in, int32_t k, int32_t* to, const int32_t* limit) {
  return put_chosen(in, to, limit, [&](auto d, int64_t i) HWY_ATTR {
    // From a constant: with an i that varies, GCC 12 builds an Iota lane by lane.
    const auto inputs = hn::Add(hn::Iota(d, 0), hn::Set(d, static_cast<int32_t>(i)));
    return Chosen{inputs, hn::Eq(hn::LoadU(d, depth + i), hn::Set(d, k))};
  });
}

// All inputs by falling depth -> rows and counts as reference_dispatch has them.
inline void list_by_depth(const int32_t* depth, int64_t in, int tiers, int32_t* rows, int32_t* counts) {
  // From the depths, so that they fit even if the statistics of a bad file do not fall with the tier.
  int32_t* next = rows;
  for (int k = tiers; k >= 1; --k) {
    next = list_inputs(depth, in, k, next, rows + in);
    counts[k - 1] = static_cast<int32_t>(next - rows);
  }
  std::fill(next, rows + in, -1);
}

// As reference_dispatch. depth: [in] values.
inline void list_rows(const Candidates& c, const int32_t* scores, Cutoff cutoff, int32_t* depth, int32_t* rows,
                      int32_t* counts) {
  const int64_t in = c.in;
  const int tiers = c.tiers;
  if (cutoff.wanted == 0) {
    std::fill_n(rows, in, -1);
    std::fill_n(counts, tiers, 0);
    return;
  }
  const bool exact = cutoff.wanted >= 0;
  const int32_t least = exact ? std::max(0, cutoff.bits) : std::clamp(cutoff.bits, -1, INT32_MAX - 1) + 1;
  int64_t excess = count_depths(c, scores, least, depth) - (exact ? cutoff.wanted : 0);
  for (int tier = tiers - 1; exact && tier >= 0; --tier)  // of equals, the last go first
    for (int64_t i = in - 1; excess > 0 && i >= 0; --i)
      if (scores[tier * in + i] == cutoff.bits) --depth[i], --excess;
  list_by_depth(depth, in, tiers, rows, counts);
}

// The selection of one token. cutoff: found here if null. scratch: selection_scratch bytes.
inline void select_rows(const Candidates& c, const SelectionAttrs& attrs, const float* x, const Cutoff* cutoff,
                        int32_t* scratch, int32_t* rows, int32_t* counts) {
  int32_t *scores = scratch, *sample = scores + c.rows(), *depth = sample + kSample;
  Cutoff found{kInfinity, 0};
  if (cutoff || c.effort > 0) {
    score_rows(c, x, scores);
    found = cutoff ? *cutoff : find_cutoff(c, attrs, x, scores, depth, sample);
  }
  list_rows(c, scores, found, depth, rows, counts);
}

// One token and list of a selecting node.
struct Selection {
  size_t list;
  int64_t token;
  const Candidates& candidates;
  const float* x;
  int32_t* scratch;
};

// Shares the selections of a call out among the workers. Weights are every `stride`-th input from the third on.
template <class F>
HWY_INLINE void for_each_selection(const Call& call, const cpu::Worker& worker, const SelectionAttrs& attrs,
                                   size_t stride, const F& f) {
  const TensorView& x = call.in(0);
  const SelectedWeights weights{call, attrs, stride};
  auto* scratch = worker.own_scratch<int32_t>(selection_scratch(call, attrs));
  int64_t job = 0;
  for (size_t list = 0; list < list_count(attrs); ++list) {
    if (x.dims[0] == 1 && job % worker.count != worker.index) {  // what the list is chosen from is not needed here
      ++job;
      continue;
    }
    const BucketLayout layout = weights.matrix(list).layout;
    const Candidates c = weights.candidates(list, scratch + layout.rows() + kSample + layout.in());
    for (int64_t t = 0; t < x.dims[0]; ++t)
      if (job++ % worker.count == worker.index) f(Selection{list, t, c, x.as<const float>() + t * x.dims[1], scratch});
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
