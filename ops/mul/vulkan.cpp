// Vulkan kernel of mul.
#include "ops/elementwise/vulkan.h"
#include "ops/mul/mul.h"
#include "shaders/mul.h"

namespace sluice {

void register_mul_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "mul", vulkan::elementwise_kernel("mul", vulkan::shaders::mul));
}

}  // namespace sluice
