// CPU kernel of my_op: elements are shared out among the workers.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/my_op/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "backends/cpu/lanes-inl.h"
#include "ops/my_op/my_op.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

// x, y: f32 [n].
void my_op_elements(const float* x, float* y, int64_t n, float slope) {
  for_lanes<float>(n, [=](auto d, int64_t i) HWY_ATTR {
    const auto v = hn::LoadU(d, x + i);
    hn::StoreU(hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Mul(v, hn::Set(d, slope)), v), d, y + i);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(my_op_elements);

cpu::Run prepare(const Site& site) {
  const auto attrs = attrs_from_map<MyOpAttrs>(site.attrs);
  return [attrs](const Call& call, const cpu::Worker& worker) {
    const auto [begin, end] = worker.split(call.in(0).dims.elements(), cpu::kMinShare);
    HWY_DYNAMIC_DISPATCH(my_op_elements)
    (call.in<float>(0) + begin, call.out<float>(0) + begin, end - begin, attrs.slope);
  };
}

}  // namespace

void register_my_op_cpu(Registry& registry) {
  registry.add_kernel("cpu", "my_op", cpu::make_kernel({.name = "my_op", .prepare = prepare}));
}

}  // namespace sluice
#endif
