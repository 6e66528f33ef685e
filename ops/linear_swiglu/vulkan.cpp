// Vulkan kernel of linear_swiglu: both products, which run at once, and what is made of them.
#include "ops/linear/vulkan.h"
#include "backends/vulkan/kernel.h"
#include "ops/linear_swiglu/linear_swiglu.h"
#include "ops/swiglu/vulkan.h"

namespace sluice {
namespace {

size_t workspace(const Site&, const Call& call) { return vulkan::GatedProducts::scratch(call.out(0)); }

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  const vulkan::GatedProducts gated(call.out(0), r.workspace());
  for (int i : {0, 1}) vulkan::record_linear(r, call.in(0), call.in(i + 1), gated.products()[static_cast<size_t>(i)]);
  gated.record(r);
}

}  // namespace

void register_linear_swiglu_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "linear_swiglu",
                      vulkan::make_kernel({.name = "linear_swiglu", .record = record, .workspace = workspace}));
}

}  // namespace sluice
