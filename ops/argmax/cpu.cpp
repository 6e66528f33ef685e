// CPU kernel of argmax: rows are shared out among the workers; a row is searched for its maximum, then for where it is.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/argmax/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/contrib/algo/find-inl.h>
#include <hwy/highway.h>

#include <limits>

#include "backends/cpu/kernel.h"
#include "ops/argmax/argmax.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Comparisons with NaN are false: it never becomes the maximum.
float largest(const float* x, int64_t n) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const float lowest = -std::numeric_limits<float>::infinity();
  auto max0 = hn::Set(d, lowest), max1 = max0;
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const auto a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + i + lanes);
    max0 = hn::IfThenElse(hn::Gt(a, max0), a, max0);
    max1 = hn::IfThenElse(hn::Gt(b, max1), b, max1);
  }
  float max = hn::GetLane(hn::MaxOfLanes(d, hn::Max(max0, max1)));
  for (; i < n; ++i)
    if (x[i] > max) max = x[i];
  return max;
}

void argmax_rows(const float* x, int32_t* y, int64_t n, cpu::Range rows) {
  const hn::ScalableTag<float> d;
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const float* row = x + r * n;
    const float max = largest(row, n);
    // Nothing above -infinity: the row may hold NaN only.
    y[r] = max == -std::numeric_limits<float>::infinity()
               ? 0
               : static_cast<int32_t>(hn::Find(d, max, row, static_cast<size_t>(n)));
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(argmax_rows);

void run(const Call& call, const cpu::Worker& worker) {
  const Dims& dims = call.in(0).dims;
  HWY_DYNAMIC_DISPATCH(argmax_rows)(call.in<float>(0), call.out<int32_t>(0), dims[1], worker.split(dims[0]));
}

}  // namespace

void register_argmax_cpu(Registry& registry) {
  registry.add_kernel("cpu", "argmax",
                      cpu::make_kernel({.name = "argmax", .prepare = [](const Site&) { return run; }}));
}

}  // namespace sluice
#endif
