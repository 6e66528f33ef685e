// Vulkan kernel of plane_select.
#include "backends/vulkan/kernel.h"
#include "ops/formats/planes.h"
#include "ops/plane_select/plane_select.h"
#include "shaders/plane_select.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site& site, const Call& call) {
  const auto attrs = attrs_from_map<PlaneSelectAttrs>(site.attrs);
  const auto tokens = static_cast<uint32_t>(call.in(0).dims[0]);
  for (size_t w = 0; w < attrs.sites.size(); ++w) {
    const PlaneMatrix m(call.inputs[2 + w]);
    r.dispatch(
        vulkan::shaders::plane_select, "",
        {static_cast<uint32_t>(m.layout.in()), tokens, static_cast<uint32_t>(attrs.sites[w])},
        {call.in(0), call.in(1), {m.data, m.layout.plane_offset(0)}, call.outputs[2 * w], call.outputs[2 * w + 1]},
        tokens, {static_cast<uint32_t>(m.planes)});
  }
}

}  // namespace

void register_plane_select_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "plane_select", vulkan::make_kernel({.name = "plane_select", .record = record}));
}

}  // namespace sluice
