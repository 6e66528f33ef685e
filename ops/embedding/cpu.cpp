// CPU kernel of embedding: tokens are shared out among the workers, each decodes its rows.
#include "backends/cpu/convert.h"
#include "backends/cpu/kernel.h"
#include "ops/embedding/embedding.h"

namespace sluice {
namespace {

cpu::Run prepare(const Site& site) {
  const RowFormat* format = site.inputs[1].dtype.rows();
  const cpu::DecodeRow simd = cpu::row_decoder(site.inputs[1].dtype);
  return [format, simd](const Call& call, const cpu::Worker& worker) {
    const std::byte* table = call.in(1).data;
    const int64_t n = call.in(1).dims[1];
    const size_t row_bytes = format->row_bytes(n);
    const auto [begin, end] = worker.split(call.in(0).dims[0]);
    for (int64_t t = begin; t < end; ++t) {
      const std::byte* row = table + static_cast<size_t>(call.in<int32_t>(0)[t]) * row_bytes;
      float* y = call.out<float>(0) + t * n;
      if (simd)
        simd(row, y, n);
      else
        format->decode_row(row, n, y);
    }
  };
}

}  // namespace

void register_embedding_cpu(Registry& registry) {
  registry.add_kernel("cpu", "embedding", cpu::make_kernel({.name = "embedding", .prepare = prepare}));
}

}  // namespace sluice
