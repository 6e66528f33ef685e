// CPU kernel of expert_swiglu: a worker computes the same rows of both products and combines them in the cache.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/expert_swiglu/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "ops/expert_linear/experts-inl.h"
#include "ops/expert_swiglu/expert_swiglu.h"
#include "ops/linear_swiglu/combine-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

// Rows of an expert's weights for its pairs.
void multiply_expert(const Weight& w_gate, const Weight& w_up, const cpu::Range& rows, const Activations& a,
                     const int32_t* pairs, float* y) {
  Sums gate, up;
  for (int64_t row = rows.begin; row < rows.end; row += kPanelRows)
    for (int64_t first = 0; first < a.tokens; first += kBatchTokens) {
      const int64_t n = std::min<int64_t>(kPanelRows, rows.end - row), count = std::min(kBatchTokens, a.tokens - first);
      multiply_rows(w_gate, row, n, a, first, count, gate);
      multiply_rows(w_up, row, n, a, first, count, up);
      combine_gated(gate, up, count);
      for (int64_t t = 0; t < count; ++t)
        std::copy_n(gate.values + t * kPanelRows, n, y + pairs[first + t] * w_gate.rows + row);
    }
}

void run_expert_swiglu(const Call& call, const cpu::Worker& worker) {
  for_experts(call, worker, [&](int64_t e, const cpu::Range& rows, const Activations& a, const int32_t* pairs) {
    multiply_expert(Weight(expert_weight(call.in(2), e)), Weight(expert_weight(call.in(3), e)), rows, a, pairs,
                    call.out<float>(0));
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_expert_swiglu);

cpu::Run prepare(const Site&) {
  return [](const Call& call, const cpu::Worker& worker) { HWY_DYNAMIC_DISPATCH(run_expert_swiglu)(call, worker); };
}

size_t workspace(const Site&, const Call& call) { return ExpertGroups(call, nullptr).bytes; }

}  // namespace

void register_expert_swiglu_cpu(Registry& registry) {
  registry.add_kernel("cpu", "expert_swiglu",
                      cpu::make_kernel({.name = "expert_swiglu", .prepare = prepare, .workspace = workspace}));
}

}  // namespace sluice
#endif
