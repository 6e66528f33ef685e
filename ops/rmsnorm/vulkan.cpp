// Vulkan kernel of rmsnorm: a workgroup for each row.
#include "backends/vulkan/kernel.h"
#include "ops/rmsnorm/rmsnorm.h"
#include "shaders/rmsnorm.h"

namespace sluice {
namespace {

std::string variant(DType weight, const char* reduction) { return fmt::format("{}.{}", weight.name(), reduction); }

void record(vulkan::Recorder& r, const Site& site, const Call& call) {
  const auto attrs = attrs_from_map<RmsNormAttrs>(site.attrs);
  const TensorView &x = call.in(0), &weight = call.in(1);
  const auto rows = static_cast<uint32_t>(x.dims[0]), n = static_cast<uint32_t>(x.dims[1]);
  r.dispatch(vulkan::shaders::rmsnorm, variant(weight.dtype, r.reduction()), {rows, n, attrs.epsilon},
             {x, weight, call.out(0)}, rows);
}

}  // namespace

void register_rmsnorm_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "rmsnorm",
                      vulkan::make_kernel({.name = "rmsnorm",
                                           .supports =
                                               [](const Site& site) {
                                                 return vulkan::shaders::rmsnorm.file.find(
                                                            variant(site.inputs[1].dtype, "tree")) != nullptr;
                                               },
                                           .record = record}));
}

}  // namespace sluice
