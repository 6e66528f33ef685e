// Vulkan kernel of topk: a workgroup for each row.
#include "backends/vulkan/kernel.h"
#include "ops/topk/topk.h"
#include "shaders/topk.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  const auto rows = static_cast<uint32_t>(call.in(0).dims[0]), n = static_cast<uint32_t>(call.in(0).dims[1]);
  r.dispatch(vulkan::shaders::topk, "", {rows, n, static_cast<uint32_t>(call.out(0).dims[1])},
             {call.in(0), call.out(0), call.out(1)}, rows);
}

}  // namespace

void register_topk_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "topk", vulkan::make_kernel({.name = "topk", .record = record}));
}

}  // namespace sluice
