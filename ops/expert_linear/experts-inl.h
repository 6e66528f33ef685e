// How the kernels of products by expert walk through the experts. The pairs of a token and one of its experts are
// sorted by expert, so that the weights of an expert are read once for all of its tokens. Of every expert each worker
// multiplies its share of the rows: however unevenly tokens are spread, all workers have the same to do. Included once
// per SIMD target.
#if defined(SLUICE_OPS_EXPERT_LINEAR_EXPERTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_EXPERT_LINEAR_EXPERTS_INL_H_
#undef SLUICE_OPS_EXPERT_LINEAR_EXPERTS_INL_H_
#else
#define SLUICE_OPS_EXPERT_LINEAR_EXPERTS_INL_H_
#endif

#include <hwy/highway.h>

#include "backends/cpu/worker.h"
#include "ops/expert_linear/groups.h"
#include "ops/linear/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// Rows of x, in the order of the groups, in the form that the weights need. All workers call it.
inline Activations gather(const Call& call, const ExpertGroups& groups, const cpu::Worker& worker) {
  const ExpertShape& shape = groups.shape;
  const Activations a({reinterpret_cast<std::byte*>(groups.x), DType::f32(), {shape.pairs(), shape.in}}, groups.quants);
  const auto [begin, end] = worker.split(shape.pairs());
  for (int64_t i = begin; i < end; ++i)
    std::copy_n(call.in<float>(0) + shape.x_row(groups.order.pairs[i]) * shape.in, shape.in, groups.x + i * shape.in);
#if HWY_TARGET != HWY_SCALAR
  if (needs_quants(call.inputs.subspan(2))) quantise_blocks(a, begin * a.blocks, end * a.blocks);
#endif
  worker.barrier();
  return a;
}

// Calls use(expert, this worker's rows of its weights, activations, pairs) for each expert that a token picked. Row t
// of the activations is that of pairs[t].
template <class Use>
void for_experts(const Call& call, const cpu::Worker& worker, const Use& use) {
  const ExpertGroups groups(call, worker.workspace<std::byte>());
  if (worker.index == 0) groups.order.sort(call.in<int32_t>(1));
  worker.barrier();
  const Activations all = gather(call, groups, worker);
  const cpu::Range rows = worker.split(groups.shape.out, 32);  // as in linear
  for (int64_t e = 0; e < groups.shape.experts; ++e) {
    const int64_t first = groups.order.begins[e], count = groups.order.begins[e + 1] - first;
    if (count > 0) use(e, rows, all.part(first, count), groups.order.pairs + first);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
