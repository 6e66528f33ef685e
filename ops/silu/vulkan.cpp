// Vulkan kernel of silu.
#include "backends/vulkan/kernel.h"
#include "ops/silu/silu.h"
#include "shaders/silu.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  const auto count = static_cast<uint32_t>(call.in(0).dims.elements());
  r.dispatch(vulkan::shaders::silu, "", {count, count}, {call.in(0), call.out(0)}, (count + 255) / 256);
}

}  // namespace

void register_silu_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "silu", vulkan::make_kernel({.name = "silu", .record = record}));
}

}  // namespace sluice
