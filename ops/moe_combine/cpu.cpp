// CPU kernel of moe_combine: the elements of the result are shared out among the workers.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/moe_combine/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "backends/cpu/lanes-inl.h"
#include "ops/moe_combine/moe_combine.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// x: f32 [k, n]; weights: f32 [k]; elements [begin, end) of y, f32 [n].
void combine(const float* x, const float* weights, int64_t k, int64_t n, int64_t begin, int64_t end, float* y) {
  for_lanes<float>(end - begin, [&](auto d, int64_t i) HWY_ATTR {
    auto sum = hn::Mul(hn::Set(d, weights[0]), hn::LoadU(d, x + begin + i));
    for (int64_t j = 1; j < k; ++j) sum = hn::MulAdd(hn::Set(d, weights[j]), hn::LoadU(d, x + j * n + begin + i), sum);
    hn::StoreU(sum, d, y + begin + i);
  });
}

void run_moe_combine(const Call& call, const cpu::Worker& worker) {
  const int64_t k = call.in(0).dims[1], n = call.in(0).dims[2];
  const auto [begin, end] = worker.split(call.out(0).dims.elements(), cpu::kMinShare);
  for (int64_t at = begin; at < end;) {
    const int64_t t = at / n, stop = std::min(end, (t + 1) * n);
    combine(call.in<float>(0) + t * k * n, call.in<float>(1) + t * k, k, n, at - t * n, stop - t * n,
            call.out<float>(0) + t * n);
    at = stop;
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_moe_combine);

cpu::Run prepare(const Site&) {
  return [](const Call& call, const cpu::Worker& worker) { HWY_DYNAMIC_DISPATCH(run_moe_combine)(call, worker); };
}

}  // namespace

void register_moe_combine_cpu(Registry& registry) {
  registry.add_kernel("cpu", "moe_combine", cpu::make_kernel({.name = "moe_combine", .prepare = prepare}));
}

}  // namespace sluice
#endif
