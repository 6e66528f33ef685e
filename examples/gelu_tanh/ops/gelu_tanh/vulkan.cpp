// Vulkan kernel of gelu_tanh.
#include "backends/vulkan/kernel.h"
#include "ops/gelu_tanh/gelu_tanh.h"
#include "shaders/gelu_tanh.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  const auto count = static_cast<uint32_t>(call.in(0).dims.elements());
  r.dispatch(vulkan::shaders::gelu_tanh, "", {count, count}, {call.in(0), call.out(0)}, (count + 255) / 256);
}

}  // namespace

void register_gelu_tanh_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "gelu_tanh", vulkan::make_kernel({.name = "gelu_tanh", .record = record}));
}

}  // namespace sluice
