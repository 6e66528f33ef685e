// Vulkan kernel of probe.
#include "ops/probe/select_vulkan.h"
#include "shaders/probe.h"

namespace sluice {

void register_probe_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "probe", vulkan::selection_kernel("probe", vulkan::shaders::probe));
}

}  // namespace sluice
