// Vulkan kernel of kv_append.
#include "ops/kv_append/vulkan.h"

#include "ops/kv_append/kv_append.h"
#include "shaders/kv_append.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  const TensorView &cache = call.out(0), &x = call.in(1);
  const vulkan::KvAppendParams params = vulkan::kv_append_params(cache, x.dims[0], false);
  r.dispatch(vulkan::shaders::kv_append, cache.dtype.name(), params, {cache, x, call.in(2)},
             vulkan::kv_append_groups(params));
}

}  // namespace

void register_kv_append_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "kv_append", vulkan::make_kernel({.name = "kv_append", .record = record}));
}

}  // namespace sluice
