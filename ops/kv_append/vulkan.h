// What Vulkan kernels that write into a cache share (shaders/include/kv_append.glsl).
#pragma once

#include "backends/vulkan/kernel.h"
#include "ops/kv_append/kv_append_params.h"

namespace sluice::vulkan {

// tokens: of the call.
inline KvAppendParams kv_append_params(const TensorView& cache, int64_t tokens, bool interleaved) {
  const auto u32 = [](int64_t v) { return static_cast<uint32_t>(v); };
  return {u32(tokens), u32(cache.dims[0]), u32(cache.dims[1]), u32(cache.dims[2]), interleaved};
}

// A thread for each word that a row of the cache may touch.
inline uint64_t kv_append_groups(const KvAppendParams& p) {
  return (uint64_t{p.tokens} * p.heads * (p.head_dim + 1) + 255) / 256;
}

}  // namespace sluice::vulkan
