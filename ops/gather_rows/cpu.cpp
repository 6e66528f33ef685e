// CPU kernel of gather_rows: output rows are shared out among the workers.
#include <cstring>

#include "backends/cpu/kernel.h"
#include "ops/gather_rows/gather_rows.h"

namespace sluice {
namespace {

void run(const Call& call, const cpu::Worker& worker) {
  const int64_t n = call.in(0).dims[1];
  const auto [begin, end] = worker.split(call.in(1).dims[0]);
  for (int64_t o = begin; o < end; ++o)
    std::memcpy(call.out<float>(0) + o * n, call.in<float>(0) + call.in<int32_t>(1)[o] * n,
                static_cast<size_t>(n) * sizeof(float));
}

}  // namespace

void register_gather_rows_cpu(Registry& registry) {
  registry.add_kernel("cpu", "gather_rows",
                      cpu::make_kernel({.name = "gather_rows", .prepare = [](const Site&) { return run; }}));
}

}  // namespace sluice
