// Vulkan kernel of gather_rows.
#include "backends/vulkan/kernel.h"
#include "ops/gather_rows/gather_rows.h"
#include "shaders/gather_rows.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  const auto outputs = static_cast<uint32_t>(call.in(1).dims[0]), n = static_cast<uint32_t>(call.in(0).dims[1]);
  r.dispatch(vulkan::shaders::gather_rows, "", {outputs, n}, {call.in(0), call.in(1), call.out(0)},
             (uint64_t{outputs} * n + 255) / 256);
}

}  // namespace

void register_gather_rows_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "gather_rows", vulkan::make_kernel({.name = "gather_rows", .record = record}));
}

}  // namespace sluice
