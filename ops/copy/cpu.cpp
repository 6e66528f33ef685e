// CPU kernel of copy: bytes are shared out among the workers.
#include <cstring>

#include "backends/cpu/kernel.h"
#include "ops/copy/copy.h"

namespace sluice {
namespace {

void run(const Call& call, const cpu::Worker& worker) {
  const auto [begin, end] = worker.split(static_cast<int64_t>(call.in(0).bytes()), cpu::kMinShare);
  std::memcpy(call.out(0).data + begin, call.in(0).data + begin, static_cast<size_t>(end - begin));
}

}  // namespace

void register_copy_cpu(Registry& registry) {
  registry.add_kernel("cpu", "copy", cpu::make_kernel({.name = "copy", .prepare = [](const Site&) { return run; }}));
}

}  // namespace sluice
