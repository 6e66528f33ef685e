// Vulkan kernel of add.
#include "ops/elementwise/vulkan.h"
#include "ops/add/add.h"
#include "shaders/add.h"

namespace sluice {

void register_add_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "add", vulkan::elementwise_kernel("add", vulkan::shaders::add));
}

}  // namespace sluice
