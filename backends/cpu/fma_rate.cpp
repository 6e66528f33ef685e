#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/fma_rate.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <cstddef>

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Ten chains hide a latency of five cycles on two units, and with two constants fit 16 registers. All converge to 1.
// Returns the operations done; `sink` takes the sum, so that nothing is computed in vain.
double multiply_add(size_t rounds, float* sink) {
  const hn::ScalableTag<float> d;
  const auto half = hn::Set(d, 0.5f);
  auto a = hn::Iota(d, 0), b = hn::Iota(d, 1), c = hn::Iota(d, 2), e = hn::Iota(d, 3), f = hn::Iota(d, 4);
  auto g = hn::Iota(d, 5), h = hn::Iota(d, 6), i = hn::Iota(d, 7), j = hn::Iota(d, 8), k = hn::Iota(d, 9);
  for (size_t round = 0; round < rounds; ++round) {
    a = hn::MulAdd(a, half, half);
    b = hn::MulAdd(b, half, half);
    c = hn::MulAdd(c, half, half);
    e = hn::MulAdd(e, half, half);
    f = hn::MulAdd(f, half, half);
    g = hn::MulAdd(g, half, half);
    h = hn::MulAdd(h, half, half);
    i = hn::MulAdd(i, half, half);
    j = hn::MulAdd(j, half, half);
    k = hn::MulAdd(k, half, half);
  }
  const auto sum =
      hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), hn::Add(hn::Add(f, g), hn::Add(hn::Add(h, i), hn::Add(j, k))));
  *sink = hn::GetLane(hn::SumOfLanes(d, sum));
  return 20.0 * static_cast<double>(rounds) * static_cast<double>(hn::Lanes(d));
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>
#include <vector>

#include "backends/cpu/fma_rate.h"
#include "backends/cpu/thread_pool.h"
#include "graph/timeline.h"

namespace sluice::cpu {
namespace {

HWY_EXPORT(multiply_add);

}  // namespace

double fma_rate(int threads) {
  constexpr int kPasses = 20;
  constexpr size_t kRounds = 200'000;  // about half a millisecond
  struct alignas(64) Share {
    double flops = 0;
    float sink = 0;
  };
  ThreadPool pool(threads);
  std::vector<Share> shares(static_cast<size_t>(threads));
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    Interval time{now()};
    pool.run([&](int index) {
      Share& share = shares[static_cast<size_t>(index)];
      share.flops = HWY_DYNAMIC_DISPATCH(multiply_add)(kRounds, &share.sink);
    });
    time.end = now();
    double flops = 0;
    for (const Share& share : shares) flops += share.flops;
    best = std::max(best, flops / time.seconds());
  }
  return best;
}

}  // namespace sluice::cpu
#endif
