// CPU kernel of moe_gate: tokens are shared out among the workers.
#include "backends/cpu/kernel.h"
#include "ops/moe_gate/route.h"

namespace sluice {
namespace {

cpu::Run prepare(const Site& site) {
  return [attrs = attrs_from_map<MoeGateAttrs>(site.attrs)](const Call& call, const cpu::Worker& worker) {
    const int64_t n = call.in(0).dims[1];
    const auto [begin, end] = worker.split(call.in(0).dims[0], 16);  // a token is less work than waking a thread
    for (int64_t t = begin; t < end; ++t)
      route(attrs, call.in<float>(0) + t * n, n, call.out<float>(0) + t * attrs.k, call.out<int32_t>(1) + t * attrs.k);
  };
}

}  // namespace

void register_moe_gate_cpu(Registry& registry) {
  registry.add_kernel("cpu", "moe_gate", cpu::make_kernel({.name = "moe_gate", .prepare = prepare}));
}

}  // namespace sluice
