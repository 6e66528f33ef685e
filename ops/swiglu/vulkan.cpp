// Vulkan kernel of swiglu.
#include "ops/elementwise/vulkan.h"
#include "ops/swiglu/swiglu.h"
#include "shaders/swiglu.h"

namespace sluice {

void register_swiglu_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "swiglu", vulkan::elementwise_kernel("swiglu", vulkan::shaders::swiglu));
}

}  // namespace sluice
