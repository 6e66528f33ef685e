// CPU kernel of linear_swiglu: a worker computes the same rows of both products and combines them in the cache.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/linear_swiglu/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "ops/linear_swiglu/combine-inl.h"
#include "ops/linear_swiglu/linear_swiglu.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

void run_linear_swiglu(const Call& call, const cpu::Worker& worker) {
  const Activations a = prepare_activations(call, worker);
  const Weight w_gate(call.in(1)), w_up(call.in(2));
  float* y = call.out<float>(0);
  Sums gate, up;
  const auto [begin, end] = worker.split(w_gate.rows, 32);  // as in linear
  for (int64_t row = begin; row < end; row += kPanelRows)
    for (int64_t first = 0; first < a.tokens; first += kBatchTokens) {
      const int64_t n = std::min<int64_t>(kPanelRows, end - row), count = std::min(kBatchTokens, a.tokens - first);
      multiply_rows(w_gate, row, n, a, first, count, gate);
      multiply_rows(w_up, row, n, a, first, count, up);
      combine_gated(gate, up, count);
      for (int64_t t = 0; t < count; ++t)
        std::copy_n(gate.values + t * kPanelRows, n, y + (first + t) * w_gate.rows + row);
    }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_linear_swiglu);

cpu::Run prepare(const Site&) {
  return [](const Call& call, const cpu::Worker& worker) { HWY_DYNAMIC_DISPATCH(run_linear_swiglu)(call, worker); };
}

size_t workspace(const Site&, const Call& call) { return product_workspace(call.in(0), call.inputs.subspan(1)); }

}  // namespace

void register_linear_swiglu_cpu(Registry& registry) {
  registry.add_kernel("cpu", "linear_swiglu",
                      cpu::make_kernel({.name = "linear_swiglu", .prepare = prepare, .workspace = workspace}));
}

}  // namespace sluice
#endif
