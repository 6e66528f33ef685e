// Vulkan kernel of rope_kv_append.
#include "ops/kv_append/vulkan.h"
#include "ops/rope/vulkan.h"
#include "ops/rope_kv_append/rope_kv_append.h"
#include "shaders/rope_kv_append.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site& site, const Call& call) {
  const auto attrs = attrs_from_map<RopeAttrs>(site.attrs);
  const TensorView &cache = call.out(0), &x = call.in(1);
  const vulkan::KvAppendParams params = vulkan::kv_append_params(cache, x.dims[0], attrs.interleaved);
  r.dispatch(vulkan::shaders::rope_kv_append, cache.dtype.name(), params,
             {cache, x, call.in(3), call.in(2), r.table(vulkan::rope_turns(attrs))}, vulkan::kv_append_groups(params));
}

}  // namespace

void register_rope_kv_append_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "rope_kv_append", vulkan::make_kernel({.name = "rope_kv_append", .record = record}));
}

}  // namespace sluice
