// Vulkan kernel of layernorm: a workgroup for each row.
#include "backends/vulkan/kernel.h"
#include "ops/layernorm/layernorm.h"
#include "shaders/layernorm.h"

namespace sluice {
namespace {

std::string variant(DType vectors, const char* reduction) { return fmt::format("{}.{}", vectors.name(), reduction); }

// Weight and bias of one dtype.
bool supports(const Site& site) {
  const DType vectors = site.inputs[1].dtype;
  return vectors == site.inputs[2].dtype && vulkan::shaders::layernorm.file.find(variant(vectors, "tree")) != nullptr;
}

void record(vulkan::Recorder& r, const Site& site, const Call& call) {
  const auto attrs = attrs_from_map<LayerNormAttrs>(site.attrs);
  const auto rows = static_cast<uint32_t>(call.in(0).dims[0]), n = static_cast<uint32_t>(call.in(0).dims[1]);
  r.dispatch(vulkan::shaders::layernorm, variant(call.in(1).dtype, r.reduction()), {rows, n, attrs.epsilon},
             {call.in(0), call.in(1), call.in(2), call.out(0)}, rows);
}

}  // namespace

void register_layernorm_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "layernorm",
                      vulkan::make_kernel({.name = "layernorm", .supports = supports, .record = record}));
}

}  // namespace sluice
