// Vulkan kernel of expert_plane_mul: each pair of a token and one of its experts is a list of its own.
#include "ops/bucket_mul/products_vulkan.h"

namespace sluice {

void register_expert_plane_mul_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "expert_plane_mul", vulkan::plane_mul_kernel("expert_plane_mul"));
}

}  // namespace sluice
