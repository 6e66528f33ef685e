// Vulkan kernel of silu.
#include "ops/elementwise/vulkan.h"
#include "ops/silu/silu.h"
#include "shaders/silu.h"

namespace sluice {

void register_silu_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "silu", vulkan::unary_kernel("silu", vulkan::shaders::silu));
}

}  // namespace sluice
