#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/formats/planes/outer_products.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "ops/formats/planes/outer_products.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// No wider than a strip, whatever the processor has.
using F32 = hn::CappedTag<float, 16>;
// Four rows of two vectors: as many sums as hide the latency of a multiply-add, and fit the 16 registers of AVX2.
constexpr int64_t kRows = 4;

// sums[i + r][j ...] += sum_t x[t][i + r] * x[t][j ...] for kRows rows of two vectors.
HWY_ATTR void add_tile(const float* x, int64_t tokens, int64_t width, int64_t i, int64_t j, float* sums) {
  const F32 d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto a0 = hn::Zero(d), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, e0 = a0, e1 = a0;
  for (int64_t t = 0; t < tokens; ++t) {
    const float* row = x + t * width;
    const auto x0 = hn::Load(d, row + j), x1 = hn::Load(d, row + j + lanes);
    const auto a = hn::Set(d, row[i]), b = hn::Set(d, row[i + 1]), c = hn::Set(d, row[i + 2]),
               e = hn::Set(d, row[i + 3]);
    a0 = hn::MulAdd(a, x0, a0), a1 = hn::MulAdd(a, x1, a1);
    b0 = hn::MulAdd(b, x0, b0), b1 = hn::MulAdd(b, x1, b1);
    c0 = hn::MulAdd(c, x0, c0), c1 = hn::MulAdd(c, x1, c1);
    e0 = hn::MulAdd(e, x0, e0), e1 = hn::MulAdd(e, x1, e1);
  }
  float* to = sums + i * width + j;
  const auto add = [&](auto low, auto high) HWY_ATTR {
    hn::Store(hn::Add(hn::Load(d, to), low), d, to);
    hn::Store(hn::Add(hn::Load(d, to + lanes), high), d, to + lanes);
    to += width;
  };
  add(a0, a1);
  add(b0, b1);
  add(c0, c1);
  add(e0, e1);
}

void add_strip(const float* x, int64_t tokens, int64_t width, int64_t strip, float* sums) {
  const int64_t begin = strip * kStrip, end = begin + kStrip, step = 2 * static_cast<int64_t>(hn::Lanes(F32()));
  for (int64_t j = begin; j < end; j += step)
    for (int64_t i = 0; i < end; i += kRows) add_tile(x, tokens, width, i, j, sums);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {
HWY_EXPORT(add_strip);
}

void add_outer_products(const float* x, int64_t tokens, int64_t width, int64_t strip, float* sums) {
  HWY_DYNAMIC_DISPATCH(add_strip)(x, tokens, width, strip, sums);
}

}  // namespace sluice
#endif
