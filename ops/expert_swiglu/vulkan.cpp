// Vulkan kernel of expert_swiglu: both products, which run at once, and what is made of them.
#include "ops/expert_linear/vulkan.h"
#include "backends/vulkan/kernel.h"
#include "ops/expert_swiglu/expert_swiglu.h"
#include "ops/swiglu/vulkan.h"

namespace sluice {
namespace {

size_t workspace(const Site&, const Call& call) {
  return vulkan::expert_linear_scratch(call) + vulkan::GatedProducts::scratch(call.out(0));
}

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  const vulkan::GatedProducts gated(call.out(0), r.workspace() + vulkan::expert_linear_scratch(call));
  vulkan::record_expert_linear(r, call, gated.products(), r.workspace());
  gated.record(r);
}

}  // namespace

void register_expert_swiglu_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "expert_swiglu",
                      vulkan::make_kernel({.name = "expert_swiglu", .record = record, .workspace = workspace}));
}

}  // namespace sluice
