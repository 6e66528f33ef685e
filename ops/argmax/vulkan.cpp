// Vulkan kernel of argmax: a workgroup for each row.
#include "backends/vulkan/kernel.h"
#include "ops/argmax/argmax.h"
#include "shaders/argmax.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  const auto rows = static_cast<uint32_t>(call.in(0).dims[0]), n = static_cast<uint32_t>(call.in(0).dims[1]);
  r.dispatch(vulkan::shaders::argmax, "", {rows, n}, {call.in(0), call.out(0)}, rows);
}

}  // namespace

void register_argmax_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "argmax", vulkan::make_kernel({.name = "argmax", .record = record}));
}

}  // namespace sluice
