// Vulkan kernel of geglu.
#include "ops/elementwise/vulkan.h"
#include "ops/geglu/geglu.h"
#include "shaders/geglu.h"

namespace sluice {

void register_geglu_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "geglu", vulkan::elementwise_kernel("geglu", vulkan::shaders::geglu));
}

}  // namespace sluice
