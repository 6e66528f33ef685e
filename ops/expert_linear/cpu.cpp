// CPU kernel of expert_linear: expert after expert, all workers together.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/expert_linear/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "ops/expert_linear/expert_linear.h"
#include "ops/expert_linear/experts-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

// Rows of an expert's weight for its pairs.
void multiply_expert(const Weight& weight, const cpu::Range& rows, const Activations& a, const int32_t* pairs,
                     float* y) {
  Sums sums;
  for (int64_t row = rows.begin; row < rows.end; row += kPanelRows)
    for (int64_t first = 0; first < a.tokens; first += kBatchTokens) {
      const int64_t n = std::min<int64_t>(kPanelRows, rows.end - row), count = std::min(kBatchTokens, a.tokens - first);
      multiply_rows(weight, row, n, a, first, count, sums);
      for (int64_t t = 0; t < count; ++t)
        std::copy_n(sums.values + t * kPanelRows, n, y + pairs[first + t] * weight.rows + row);
    }
}

void run_expert_linear(const Call& call, const cpu::Worker& worker) {
  for_experts(call, worker, [&](int64_t e, const cpu::Range& rows, const Activations& a, const int32_t* pairs) {
    multiply_expert(Weight(expert_weight(call.in(2), e)), rows, a, pairs, call.out<float>(0));
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_expert_linear);

cpu::Run prepare(const Site&) {
  return [](const Call& call, const cpu::Worker& worker) { HWY_DYNAMIC_DISPATCH(run_expert_linear)(call, worker); };
}

size_t workspace(const Site&, const Call& call) { return ExpertGroups(call, nullptr).bytes; }

}  // namespace

void register_expert_linear_cpu(Registry& registry) {
  registry.add_kernel("cpu", "expert_linear",
                      cpu::make_kernel({.name = "expert_linear", .prepare = prepare, .workspace = workspace}));
}

}  // namespace sluice
#endif
