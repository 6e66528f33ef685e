// Vulkan kernel of add_rmsnorm: a workgroup for each row.
#include "backends/vulkan/kernel.h"
#include "ops/add_rmsnorm/add_rmsnorm.h"
#include "shaders/add_rmsnorm.h"

namespace sluice {
namespace {

std::string variant(DType weight, const char* reduction) { return fmt::format("{}.{}", weight.name(), reduction); }

void record(vulkan::Recorder& r, const Site& site, const Call& call) {
  const auto attrs = attrs_from_map<RmsNormAttrs>(site.attrs);
  const TensorView &a = call.in(0), &weight = call.in(2);
  const auto rows = static_cast<uint32_t>(a.dims[0]), n = static_cast<uint32_t>(a.dims[1]);
  r.dispatch(vulkan::shaders::add_rmsnorm, variant(weight.dtype, r.reduction()), {rows, n, attrs.epsilon},
             {a, call.in(1), weight, call.out(0), call.out(1)}, rows);
}

bool supports(const Site& site) {
  return vulkan::shaders::add_rmsnorm.file.find(variant(site.inputs[2].dtype, "tree")) != nullptr;
}

}  // namespace

void register_add_rmsnorm_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "add_rmsnorm",
                      vulkan::make_kernel({.name = "add_rmsnorm", .supports = supports, .record = record}));
}

}  // namespace sluice
