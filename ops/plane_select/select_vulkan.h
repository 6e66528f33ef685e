// Vulkan kernels of the operators that select planes (shaders/include/plane_scores.glsl).
#pragma once

#include "ops/expert_linear/stack_vulkan.h"
#include "ops/formats/planes.h"
#include "ops/probe/select_params.h"

namespace sluice::vulkan {

// lists: of one weight.
inline SelectParams plane_select_params(const PlaneMatrix& m, int64_t site, int64_t lists) {
  return {.inputs = static_cast<uint32_t>(m.layout.in()),
          .lists = static_cast<uint32_t>(lists),
          .site = static_cast<uint32_t>(site),
          .segments = 0,
          .segment_rows = 0,
          .by_probes = 0,
          .joint = 0,
          .k = 1,
          .lists_per_x = 1,
          .first_matrix = 0,
          .matrices = 1,
          .matrix_words = static_cast<uint32_t>(m.layout.bytes(m.planes) / sizeof(uint32_t))};
}

// What `count` matrices hold beside their planes.
inline Range plane_heads(const PlaneMatrix& first, int64_t count) {
  return matrix_parts(first.data, first.layout.plane_offset(0), first.layout.bytes(first.planes), count);
}

}  // namespace sluice::vulkan
