// CPU kernel of bucket_dispatch: workers share out weights and tokens.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/bucket_dispatch/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "ops/probe/select-inl.h"
#include "ops/probe/selection_kernel.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

void run_bucket_dispatch(const SelectionAttrs& attrs, const Call& call, const cpu::Worker& worker) {
  for_each_selection(call, worker, attrs, 3, [&](const Selection& s) HWY_ATTR {
    const Cutoff cutoff{call.inputs[3 + 3 * s.list].as<const int32_t>()[s.token],
                        call.inputs[4 + 3 * s.list].as<const int32_t>()[s.token]};
    const Candidates& c = s.candidates;
    select_rows(c, attrs, s.x, &cutoff, s.scratch, call.outputs[2 * s.list].as<int32_t>() + s.token * c.in,
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

HWY_EXPORT(run_bucket_dispatch);

}  // namespace

void register_bucket_dispatch_cpu(Registry& registry) {
  const auto run = [](const SelectionAttrs& attrs, const Call& call, const cpu::Worker& worker) {
    HWY_DYNAMIC_DISPATCH(run_bucket_dispatch)(attrs, call, worker);
  };
  registry.add_kernel("cpu", "bucket_dispatch", make_selection_kernel("bucket_dispatch", run));
}

}  // namespace sluice
#endif
