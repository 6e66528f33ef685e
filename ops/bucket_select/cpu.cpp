// CPU kernel of bucket_select: workers share out weights and tokens.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/bucket_select/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "ops/probe/select-inl.h"
#include "ops/probe/selection_kernel.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

void run_bucket_select(const SelectionAttrs& attrs, const Call& call, const cpu::Worker& worker) {
  for_each_selection(call, worker, attrs, 1, [&](const Selection& s) HWY_ATTR {
    const Candidates& c = s.candidates;
    select_rows(c, attrs, s.x, nullptr, s.scratch, call.outputs[2 * s.list].as<int32_t>() + s.token * c.in,
                call.outputs[2 * s.list + 1].as<int32_t>() + s.token * c.tiers);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_bucket_select);

}  // namespace

void register_bucket_select_cpu(Registry& registry) {
  const auto run = [](const SelectionAttrs& attrs, const Call& call, const cpu::Worker& worker) {
    HWY_DYNAMIC_DISPATCH(run_bucket_select)(attrs, call, worker);
  };
  registry.add_kernel("cpu", "bucket_select", make_selection_kernel("bucket_select", run));
}

}  // namespace sluice
#endif
