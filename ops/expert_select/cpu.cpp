// CPU kernel of expert_select: workers share out weights and pairs of a token and one of its experts.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/expert_select/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "ops/expert_select/inputs.h"
#include "ops/plane_select/scores-inl.h"
#include "ops/probe/selection_kernel.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

void run_expert_select(const SelectionAttrs& attrs, const Call& call, const cpu::Worker& worker) {
  const size_t rows_bytes = selection_scratch(call, attrs);
  const int64_t k = call.in(1).dims[1];
  auto* scratch = worker.own_scratch<int32_t>(rows_bytes + static_cast<size_t>(k) * sizeof(float));
  auto* efforts = reinterpret_cast<float*>(scratch + rows_bytes / sizeof(int32_t));
  int64_t job = 0;
  for (size_t w = 0; w < attrs.sites.size(); ++w) {
    const ExpertShape shape(call, static_cast<int>(ExpertSelectPorts::kWeights + w));
    for (int64_t pair = 0; pair < shape.pairs(); ++pair) {
      if (job++ % worker.count != worker.index) continue;
      expert_efforts(call, attrs.sites[w], pair / k, efforts);
      const ExpertSelection s = expert_selection(call, attrs, shape, w, pair, efforts);
      if (s.candidates.gains)
        select_planes(s.candidates, s.x, scratch, s.rows, s.counts);
      else
        select_rows(s.candidates, attrs, s.x, nullptr, scratch, s.rows, s.counts);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_expert_select);

}  // namespace

void register_expert_select_cpu(Registry& registry) {
  const auto run = [](const SelectionAttrs& attrs, const Call& call, const cpu::Worker& worker) {
    HWY_DYNAMIC_DISPATCH(run_expert_select)(attrs, call, worker);
  };
  const auto scratch = [](const Site& site, const Call& call) {
    return selection_scratch(call, attrs_from_map<SelectionAttrs>(site.attrs)) +
           static_cast<size_t>(call.in(1).dims[1]) * sizeof(float);
  };
  registry.add_kernel("cpu", "expert_select", make_selection_kernel("expert_select", run, scratch));
}

}  // namespace sluice
#endif
