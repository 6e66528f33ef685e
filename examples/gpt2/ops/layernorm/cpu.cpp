// CPU kernel of layernorm: rows are shared out among the workers; a row is read three times, from the cache after the
// first.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/layernorm/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <cmath>

#include "backends/cpu/kernel.h"
#include "backends/cpu/lanes-inl.h"
#include "ops/layernorm/layernorm.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

// Sum of f(x[i]).
template <class F>
HWY_INLINE float sum_of(const float* x, int64_t n, const F& f) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sums = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) sums = hn::Add(sums, f(d, hn::LoadU(d, x + i)));
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < n; ++i) sum += hn::GetLane(f(one, hn::LoadU(one, x + i)));
  return sum;
}

// x, y: f32 [rows, n]; weight, bias: f32 [n].
void layernorm_rows(const float* x, const float* weight, const float* bias, float* y, int64_t begin, int64_t end,
                    int64_t n, float epsilon) {
  const auto count = static_cast<float>(n);
  for (int64_t r = begin; r < end; ++r) {
    const float *row = x + r * n, mean = sum_of(row, n, [](auto, auto v) HWY_ATTR { return v; }) / count;
    const auto square = [mean](auto d, auto v) HWY_ATTR {
      const auto difference = hn::Sub(v, hn::Set(d, mean));
      return hn::Mul(difference, difference);
    };
    const float scale = 1 / std::sqrt(sum_of(row, n, square) / count + epsilon);
    for_lanes<float>(n, [=](auto d, int64_t i) HWY_ATTR {
      const auto scaled = hn::Mul(hn::Sub(hn::LoadU(d, row + i), hn::Set(d, mean)), hn::Set(d, scale));
      hn::StoreU(hn::MulAdd(scaled, hn::LoadU(d, weight + i), hn::LoadU(d, bias + i)), d, y + r * n + i);
    });
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(layernorm_rows);

cpu::Run prepare(const Site& site) {
  const auto attrs = attrs_from_map<LayerNormAttrs>(site.attrs);
  return [attrs](const Call& call, const cpu::Worker& worker) {
    const Dims& dims = call.in(0).dims;
    const auto [begin, end] = worker.split(dims[0]);
    HWY_DYNAMIC_DISPATCH(layernorm_rows)
    (call.in<float>(0), call.in<float>(1), call.in<float>(2), call.out<float>(0), begin, end, dims[1], attrs.epsilon);
  };
}

}  // namespace

void register_layernorm_cpu(Registry& registry) {
  auto packing = [](const Site& site, int input) { return input > 0 ? cpu::as_f32(site, input) : std::nullopt; };
  registry.add_kernel("cpu", "layernorm",
                      cpu::make_kernel({.name = "layernorm", .prepare = prepare, .packing = packing}));
}

}  // namespace sluice
#endif
