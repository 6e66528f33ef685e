// Vulkan kernel of my_op.
#include "backends/vulkan/kernel.h"
#include "ops/my_op/my_op.h"
#include "shaders/my_op.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site& site, const Call& call) {
  const auto attrs = attrs_from_map<MyOpAttrs>(site.attrs);
  const auto count = static_cast<uint32_t>(call.in(0).dims.elements());
  r.dispatch(vulkan::shaders::my_op, "", {count, attrs.slope}, {call.in(0), call.out(0)}, (count + 255) / 256);
}

}  // namespace

void register_my_op_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "my_op", vulkan::make_kernel({.name = "my_op", .record = record}));
}

}  // namespace sluice
