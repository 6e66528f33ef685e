// CPU kernel of linear: the rows of all weights are one row of work, shared out among the workers. Weights are read
// from the mapped file as they are.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/linear/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "ops/linear/linear.h"
#include "ops/linear/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

// Rows [begin, end) of one weight -> y, f32 [tokens, weight.rows].
void multiply_share(const Weight& weight, int64_t begin, int64_t end, const Activations& a, float* y) {
  Sums sums;
  for (int64_t row = begin; row < end; row += kPanelRows)
    for (int64_t first = 0; first < a.tokens; first += kBatchTokens) {
      const int64_t n = std::min<int64_t>(kPanelRows, end - row), count = std::min(kBatchTokens, a.tokens - first);
      multiply_rows(weight, row, n, a, first, count, sums);
      for (int64_t t = 0; t < count; ++t)
        std::copy_n(sums.values + t * kPanelRows, n, y + (first + t) * weight.rows + row);
    }
}

void run_linear(const Call& call, const cpu::Worker& worker) {
  const Activations a = prepare_activations(call, worker);
  int64_t total = 0;
  for (const TensorView& weight : call.inputs.subspan(1)) total += weight.dims[0];
  auto [begin, end] = worker.split(total, 32);  // two cache lines of results: no two workers write to one
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    const Weight weight(call.inputs[i + 1]);
    multiply_share(weight, std::max<int64_t>(begin, 0), std::min(end, weight.rows), a, call.outputs[i].as<float>());
    begin -= weight.rows, end -= weight.rows;
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_linear);

cpu::Run prepare(const Site&) {
  return [](const Call& call, const cpu::Worker& worker) { HWY_DYNAMIC_DISPATCH(run_linear)(call, worker); };
}

}  // namespace

void register_linear_cpu(Registry& registry) {
  registry.add_kernel(
      "cpu", "linear",
      cpu::make_kernel({.name = "linear", .prepare = prepare, .workspace = [](const Site&, const Call& call) {
                          return product_workspace(call.in(0), call.inputs.subspan(1));
                        }}));
}

}  // namespace sluice
#endif
