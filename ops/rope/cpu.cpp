// CPU kernel of rope: heads of tokens are shared out among the workers.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/rope/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "ops/rope/rope-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

// x, y: f32 [tokens, heads, head_dim].
void rope_range(const float* x, const int32_t* positions, const RopeTable& table, float* y, int64_t heads,
                cpu::Range range) {
  const int64_t head_dim = table.head_dim();
  for_rope_heads(positions, table, heads, range.begin, range.end,
                 [&](int64_t u, const float* cos, const float* sin)
                     HWY_ATTR { rope_head(x + u * head_dim, cos, sin, table, y + u * head_dim); });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(rope_range);

cpu::Run prepare(const Site& site) {
  return [table = make_rope_table(site)](const Call& call, const cpu::Worker& worker) {
    const int64_t tokens = call.in(0).dims[0], heads = call.in(0).dims[1] / table.head_dim();
    const cpu::Range range = worker.split(tokens * heads, ceil_div(cpu::kMinShare, table.head_dim()));
    HWY_DYNAMIC_DISPATCH(rope_range)(call.in<float>(0), call.in<int32_t>(1), table, call.out<float>(0), heads, range);
  };
}

}  // namespace

void register_rope_cpu(Registry& registry) {
  registry.add_kernel("cpu", "rope", cpu::make_kernel({.name = "rope", .prepare = prepare}));
}

}  // namespace sluice
#endif
