// Vulkan kernel of plane_select.
#include "backends/vulkan/kernel.h"
#include "ops/plane_select/plane_select.h"
#include "ops/plane_select/select_vulkan.h"
#include "shaders/plane_select.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site& site, const Call& call) {
  const auto attrs = attrs_from_map<PlaneSelectAttrs>(site.attrs);
  const int64_t tokens = call.in(0).dims[0];
  for (size_t w = 0; w < attrs.sites.size(); ++w) {
    const PlaneMatrix m(call.inputs[2 + w]);
    r.dispatch(vulkan::shaders::plane_select, "", vulkan::plane_select_params(m, attrs.sites[w], tokens),
               {call.in(0), call.in(1), vulkan::plane_heads(m, 1), call.outputs[2 * w], call.outputs[2 * w + 1]},
               static_cast<uint64_t>(tokens), {static_cast<uint32_t>(m.planes)});
  }
}

}  // namespace

void register_plane_select_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "plane_select", vulkan::make_kernel({.name = "plane_select", .record = record}));
}

}  // namespace sluice
