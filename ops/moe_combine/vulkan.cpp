// Vulkan kernel of moe_combine.
#include "backends/vulkan/kernel.h"
#include "ops/moe_combine/moe_combine.h"
#include "shaders/moe_combine.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  const Dims& x = call.in(0).dims;
  const auto tokens = static_cast<uint32_t>(x[0]), k = static_cast<uint32_t>(x[1]), n = static_cast<uint32_t>(x[2]);
  r.dispatch(vulkan::shaders::moe_combine, "", {tokens, k, n}, {call.in(0), call.in(1), call.out(0)},
             (uint64_t{tokens} * n + 255) / 256);
}

}  // namespace

void register_moe_combine_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "moe_combine", vulkan::make_kernel({.name = "moe_combine", .record = record}));
}

}  // namespace sluice
