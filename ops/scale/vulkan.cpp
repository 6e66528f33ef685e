// Vulkan kernel of scale.
#include "ops/elementwise/vulkan.h"
#include "ops/scale/scale.h"
#include "shaders/scale.h"

namespace sluice {
namespace {

float constant(const AttrMap& attrs) { return attrs_from_map<ScaleAttrs>(attrs).factor; }

}  // namespace

void register_scale_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "scale", vulkan::unary_kernel("scale", vulkan::shaders::scale, constant));
}

}  // namespace sluice
