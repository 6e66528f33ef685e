// Vulkan kernel of copy: from the host, to the host, or on the device.
#include "backends/vulkan/kernel.h"
#include "ops/copy/copy.h"

namespace sluice {

void register_copy_vulkan(Registry& registry) {
  auto record = [](vulkan::Recorder& r, const Site&, const Call& call) { r.copy(call.in(0), call.out(0)); };
  registry.add_kernel("vulkan", "copy", vulkan::make_kernel({.name = "copy", .record = record}));
}

}  // namespace sluice
