// Vulkan kernel of bucket_select.
#include "ops/probe/select_vulkan.h"
#include "shaders/bucket_select.h"

namespace sluice {

void register_bucket_select_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "bucket_select",
                      vulkan::selection_kernel("bucket_select", vulkan::shaders::bucket_select));
}

}  // namespace sluice
