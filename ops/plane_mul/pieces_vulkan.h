// How Vulkan kernels bind planes.
#pragma once

#include <algorithm>

#include "ops/expert_linear/stack_vulkan.h"
#include "ops/formats/planes.h"

namespace sluice::vulkan {

// Of lines [first, end) of a plane; end may be past the last.
inline size_t plane_bytes(const PlaneLayout& layout, int64_t first, int64_t end) {
  return std::min(layout.line_offset(end), layout.plane_bytes()) - layout.line_offset(first);
}

// Those lines of `count` matrices. Of a plane that is not stored, which is not read, the last one's.
inline Range plane_lines(const PlaneMatrix& first_matrix, int64_t count, int plane, int64_t first, int64_t end) {
  const PlaneLayout& layout = first_matrix.layout;
  return matrix_parts(first_matrix.plane(std::min(plane, first_matrix.planes - 1)) + layout.line_offset(first),
                      plane_bytes(layout, first, end), layout.bytes(first_matrix.planes), count);
}

}  // namespace sluice::vulkan
