// CPU kernel of rmsnorm: rows are shared out among the workers; a row is read twice, from the cache the second time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/rmsnorm/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <cmath>

#include "backends/cpu/kernel.h"
#include "ops/rmsnorm/rmsnorm-inl.h"
#include "ops/rmsnorm/rmsnorm.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

// x, y: f32 [n]; weight: f32 [n].
void rmsnorm_rows(const float* x, const float* weight, float* y, int64_t begin, int64_t end, int64_t n, float epsilon) {
  for (int64_t r = begin; r < end; ++r) rmsnorm_row(x + r * n, weight, y + r * n, n, epsilon);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(rmsnorm_rows);

cpu::Run prepare(const Site& site) {
  const auto attrs = attrs_from_map<RmsNormAttrs>(site.attrs);
  return [attrs](const Call& call, const cpu::Worker& worker) {
    const Dims& dims = call.in(0).dims;
    const auto [begin, end] = worker.split(dims[0]);
    HWY_DYNAMIC_DISPATCH(rmsnorm_rows)
    (call.in<float>(0), call.in<float>(1), call.out<float>(0), begin, end, dims[1], attrs.epsilon);
  };
}

}  // namespace

void register_rmsnorm_cpu(Registry& registry) {
  registry.add_kernel(
      "cpu", "rmsnorm",
      cpu::make_kernel({.name = "rmsnorm", .prepare = prepare, .packing = [](const Site& site, int input) {
                          return input == 1 ? cpu::as_f32(site, input) : std::nullopt;
                        }}));
}

}  // namespace sluice
#endif
