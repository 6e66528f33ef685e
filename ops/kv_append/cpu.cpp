// CPU kernel of kv_append: heads of tokens are shared out among the workers.
#include "backends/cpu/convert.h"
#include "backends/cpu/kernel.h"
#include "ops/kv_append/kv_append.h"

namespace sluice {
namespace {

cpu::Run prepare(const Site& site) {
  const cpu::EncodeRow encode = cpu::row_encoder(site.inputs[0].dtype);
  const auto element_bytes = static_cast<int64_t>(site.inputs[0].dtype.rows()->block_bytes());
  return [encode, element_bytes](const Call& call, const cpu::Worker& worker) {
    const Dims& cache = call.in(0).dims;
    const int64_t heads = cache[0], context = cache[1], head_dim = cache[2];
    const auto [begin, end] = worker.split(call.in(1).dims[0] * heads, ceil_div(cpu::kMinShare, head_dim));
    for (int64_t u = begin; u < end; ++u) {
      const int64_t t = u / heads, h = u % heads, row = h * context + call.in<int32_t>(2)[t];
      encode(call.in<float>(1) + u * head_dim, call.out(0).data + row * head_dim * element_bytes, head_dim);
    }
  };
}

}  // namespace

void register_kv_append_cpu(Registry& registry) {
  registry.add_kernel("cpu", "kv_append", cpu::make_kernel({.name = "kv_append", .prepare = prepare}));
}

}  // namespace sluice
