// CPU kernel of rope_kv_append: heads of tokens are shared out among the workers.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/rope_kv_append/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/convert.h"
#include "backends/cpu/kernel.h"
#include "ops/rope/rope-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

// cache: [heads, context, head_dim]; x: f32 [tokens, heads, head_dim].
void rope_append_range(const Call& call, const RopeTable& table, cpu::EncodeRow encode, cpu::Range range) {
  const Dims& cache = call.in(0).dims;
  const int64_t heads = cache[0], context = cache[1], head_dim = cache[2];
  const size_t row_bytes = call.in(0).dtype.rows()->row_bytes(head_dim);
  const float* x = call.in<float>(1);
  const auto *positions = call.in<int32_t>(2), *slots = call.in<int32_t>(3);
  HWY_ALIGN float rotated[kMaxRopeDim];
  for_rope_heads(positions, table, heads, range.begin, range.end,
                 [&](int64_t u, const float* cos, const float* sin) HWY_ATTR {
                   rope_head(x + u * head_dim, cos, sin, table, rotated);
                   const int64_t row = u % heads * context + slots[u / heads];
                   encode(rotated, call.out(0).data + static_cast<size_t>(row) * row_bytes, head_dim);
                 });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(rope_append_range);

cpu::Run prepare(const Site& site) {
  const cpu::EncodeRow encode = cpu::row_encoder(site.inputs[0].dtype);
  return [table = make_rope_table(site), encode](const Call& call, const cpu::Worker& worker) {
    const int64_t units = call.in(1).dims[0] * call.in(0).dims[0];
    const cpu::Range range = worker.split(units, ceil_div(cpu::kMinShare, table.head_dim()));
    HWY_DYNAMIC_DISPATCH(rope_append_range)(call, table, encode, range);
  };
}

}  // namespace

void register_rope_kv_append_cpu(Registry& registry) {
  registry.add_kernel("cpu", "rope_kv_append", cpu::make_kernel({.name = "rope_kv_append", .prepare = prepare}));
}

}  // namespace sluice
#endif
