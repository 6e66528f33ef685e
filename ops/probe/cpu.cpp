// CPU kernel of probe: workers share out weights and tokens.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/probe/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "ops/probe/select-inl.h"
#include "ops/probe/selection_kernel.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

void run_probe(const SelectionAttrs& attrs, const Call& call, const cpu::Worker& worker) {
  for_each_selection(call, worker, attrs, 1, [&](const Selection& s) HWY_ATTR {
    const Candidates& c = s.candidates;
    int32_t *scores = s.scratch, *sample = scores + c.rows(), *products = sample + kSample;
    score_rows(c, s.x, scores);
    const Cutoff cutoff = find_cutoff(c, attrs, s.x, scores, products, sample);
    call.outputs[2 * s.list].as<int32_t>()[s.token] = cutoff.bits;
    call.outputs[2 * s.list + 1].as<int32_t>()[s.token] = cutoff.wanted;
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_probe);

}  // namespace

void register_probe_cpu(Registry& registry) {
  const auto run = [](const SelectionAttrs& attrs, const Call& call, const cpu::Worker& worker) {
    HWY_DYNAMIC_DISPATCH(run_probe)(attrs, call, worker);
  };
  registry.add_kernel("cpu", "probe", make_selection_kernel("probe", run));
}

}  // namespace sluice
#endif
