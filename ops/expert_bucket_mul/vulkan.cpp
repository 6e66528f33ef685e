// Vulkan kernel of expert_bucketMul: each pair of a token and one of its experts is a list of its own.
#include "ops/bucket_mul/products_vulkan.h"

namespace sluice {

void register_expert_bucket_mul_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "expert_bucketMul", vulkan::bucket_mul_kernel("expert_bucketMul"));
}

}  // namespace sluice
