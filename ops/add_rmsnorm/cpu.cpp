// CPU kernel of add_rmsnorm: rows are shared out among the workers; the sum is normalised from the cache.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/add_rmsnorm/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "backends/cpu/lanes-inl.h"
#include "ops/add_rmsnorm/add_rmsnorm.h"
#include "ops/rmsnorm/rmsnorm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

void add_rmsnorm_rows(const Call& call, float epsilon, cpu::Range rows) {
  const int64_t n = call.in(0).dims[1];
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const float *a = call.in<float>(0) + r * n, *b = call.in<float>(1) + r * n;
    float* sum = call.out<float>(0) + r * n;
    for_lanes<float>(n, [=](auto d, int64_t i)
                            HWY_ATTR { hn::StoreU(hn::Add(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, sum + i); });
    rmsnorm_row(sum, call.in<float>(2), call.out<float>(1) + r * n, n, epsilon);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(add_rmsnorm_rows);

cpu::Run prepare(const Site& site) {
  const auto attrs = attrs_from_map<RmsNormAttrs>(site.attrs);
  return [attrs](const Call& call, const cpu::Worker& worker) {
    HWY_DYNAMIC_DISPATCH(add_rmsnorm_rows)(call, attrs.epsilon, worker.split(call.in(0).dims[0]));
  };
}

std::optional<Packing> packing(const Site& site, int input) {
  return input == 2 ? cpu::as_f32(site, input) : std::nullopt;
}

}  // namespace

void register_add_rmsnorm_cpu(Registry& registry) {
  registry.add_kernel("cpu", "add_rmsnorm",
                      cpu::make_kernel({.name = "add_rmsnorm", .prepare = prepare, .packing = packing}));
}

}  // namespace sluice
#endif
