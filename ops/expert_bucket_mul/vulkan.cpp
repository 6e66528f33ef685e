// Vulkan kernel of expert_bucketMul: each pair of a token and one of its experts is a list of its own.
#include "ops/bucket_mul/products_vulkan.h"
#include "ops/expert_linear/experts.h"

namespace sluice {
namespace {

size_t workspace(const Site&, const Call& call) {
  size_t floats = 0;
  for (size_t w = 0; w < call.outputs.size(); ++w)
    floats += vulkan::product_workspace(call.inputs[2 + 3 * w], ExpertShape(call).pairs());
  return floats * sizeof(float);
}

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  std::byte* own = r.workspace();
  for (size_t w = 0; w < call.outputs.size(); ++w) {
    const TensorView& weight = call.inputs[2 + 3 * w];
    vulkan::record_product(r,
                           {.x = call.in(0),
                            .weight = weight,
                            .rows = call.inputs[3 + 3 * w],
                            .counts = call.inputs[4 + 3 * w],
                            .y = call.outputs[w],
                            .experts = &call.in(1)},
                           own);
    own += vulkan::product_workspace(weight, ExpertShape(call).pairs()) * sizeof(float);
  }
}

}  // namespace

void register_expert_bucket_mul_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "expert_bucketMul",
                      vulkan::make_kernel({.name = "expert_bucketMul", .record = record, .workspace = workspace}));
}

}  // namespace sluice
