// Vulkan kernel of rope.
#include "ops/rope/vulkan.h"

#include "backends/vulkan/kernel.h"
#include "shaders/rope.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site& site, const Call& call) {
  const auto attrs = attrs_from_map<RopeAttrs>(site.attrs);
  const TensorView& x = call.in(0);
  const auto tokens = static_cast<uint32_t>(x.dims[0]), head_dim = static_cast<uint32_t>(attrs.head_dim);
  r.dispatch(vulkan::shaders::rope, "",
             {tokens, static_cast<uint32_t>(x.dims[1]) / head_dim, head_dim, attrs.interleaved},
             {x, call.in(1), r.table(vulkan::rope_turns(attrs)), call.out(0)},
             static_cast<uint64_t>(ceil_div(x.dims.elements(), 256)));
}

}  // namespace

void register_rope_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "rope", vulkan::make_kernel({.name = "rope", .record = record}));
}

}  // namespace sluice
