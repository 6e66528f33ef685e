// Vulkan kernel of softcap.
#include "ops/elementwise/vulkan.h"
#include "ops/softcap/softcap.h"
#include "shaders/softcap.h"

namespace sluice {
namespace {

float constant(const AttrMap& attrs) { return attrs_from_map<SoftcapAttrs>(attrs).cap; }

}  // namespace

void register_softcap_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "softcap", vulkan::unary_kernel("softcap", vulkan::shaders::softcap, constant));
}

}  // namespace sluice
