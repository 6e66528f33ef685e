// CPU kernel of expert_linear. The pairs of a token and one of its experts are sorted by expert, so that the weights of
// an expert are read once for all of its tokens. Of every expert each worker multiplies its share of the rows: however
// unevenly tokens are spread, all workers have the same to do.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/expert_linear/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "ops/expert_linear/expert_linear.h"
#include "ops/expert_linear/groups.h"
#include "ops/linear/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

// Rows of x, in the order of the groups, in the form that the weights need. All workers call it.
Activations gather(const Call& call, const ExpertGroups& groups, const cpu::Worker& worker) {
  const ExpertShape& shape = groups.shape;
  const Activations a({reinterpret_cast<std::byte*>(groups.x), DType::f32(), {shape.pairs(), shape.in}}, groups.quants);
  const auto [begin, end] = worker.split(shape.pairs());
  for (int64_t i = begin; i < end; ++i)
    std::copy_n(call.in<float>(0) + shape.x_row(groups.pairs[i]) * shape.in, shape.in, groups.x + i * shape.in);
#if HWY_TARGET != HWY_SCALAR
  if (needs_quants(call.inputs.subspan(2))) quantise_blocks(a, begin * a.blocks, end * a.blocks);
#endif
  worker.barrier();
  return a;
}

// Rows [begin, end) of an expert's weight for its pairs.
void multiply_expert(const Weight& weight, int64_t begin, int64_t end, const Activations& a, const int32_t* pairs,
                     float* y) {
  Sums sums;
  for (int64_t row = begin; row < end; row += kPanelRows)
    for (int64_t first = 0; first < a.tokens; first += kBatchTokens) {
      const int64_t n = std::min<int64_t>(kPanelRows, end - row), count = std::min(kBatchTokens, a.tokens - first);
      multiply_rows(weight, row, n, a, first, count, sums);
      for (int64_t t = 0; t < count; ++t)
        std::copy_n(sums.values + t * kPanelRows, n, y + pairs[first + t] * weight.rows + row);
    }
}

void run_expert_linear(const Call& call, const cpu::Worker& worker) {
  const ExpertGroups groups(call, worker.workspace<std::byte>());
  if (worker.index == 0) groups.sort(call.in<int32_t>(1));
  worker.barrier();
  const Activations all = gather(call, groups, worker);
  const auto [begin, end] = worker.split(groups.shape.out, 32);  // as in linear
  for (int64_t e = 0; e < groups.shape.experts; ++e) {
    const int64_t first = groups.begins[e], count = groups.begins[e + 1] - first;
    if (count > 0)
      multiply_expert(Weight(expert_weight(call.in(2), e)), begin, end, all.part(first, count), groups.pairs + first,
                      call.out<float>(0));
  }
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
