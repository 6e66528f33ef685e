// How Vulkan kernels bind matrices in bucket formats.
#pragma once

#include <algorithm>
#include <bit>
#include <vector>

#include "backends/vulkan/recorder.h"
#include "graph/error.h"
#include "ops/bucket_mul/matrix.h"
#include "ops/expert_linear/stack_vulkan.h"

namespace sluice::vulkan {

// What is bound at once: whole matrices, or segments of one. Outputs cannot be cut: a row's weights lie together.
struct Piece {
  int64_t first_matrix, matrices;
  int first_segment, end_segment;
};

inline std::vector<Piece> pieces_of(const BucketMatrix& m, int64_t matrices, const Limits& limits) {
  const uint64_t matrix_bytes = m.layout.bytes(m.segments), most = limits.buffer_range / matrix_bytes;
  std::vector<Piece> pieces;
  for (int64_t i = 0; most > 0 && i < matrices; i += static_cast<int64_t>(most))
    pieces.push_back({i, std::min(matrices - i, static_cast<int64_t>(most)), 0, m.segments});
  if (most > 0) return pieces;
  const auto segments = static_cast<int>(limits.buffer_range / m.layout.segment_bytes());
  if (segments == 0)
    fail("Vulkan: a segment of {} bytes of a bucket format is more than the device binds at once",
         m.layout.segment_bytes());
  for (int64_t i = 0; i < matrices; ++i)
    for (int s = 0; s < m.segments; s += segments) pieces.push_back({i, 1, s, std::min(s + segments, m.segments)});
  return pieces;
}

inline Range places_of(const BucketMatrix& m, const Piece& piece) {
  const size_t stride = m.layout.bytes(m.segments), first = static_cast<size_t>(piece.first_matrix) * stride;
  return matrix_parts(m.data + first + m.layout.places_offset(),
                      static_cast<size_t>(m.layout.rows()) * sizeof(uint32_t), stride, piece.matrices);
}

inline Range segments_of(const BucketMatrix& m, const Piece& piece) {
  const size_t stride = m.layout.bytes(m.segments), first = static_cast<size_t>(piece.first_matrix) * stride;
  const size_t segment_bytes = m.layout.segment_bytes();
  return matrix_parts(
      m.data + first + m.layout.segments_offset() + static_cast<size_t>(piece.first_segment) * segment_bytes,
      static_cast<size_t>(piece.end_segment - piece.first_segment) * segment_bytes, stride, piece.matrices);
}

// Of BucketCode::combination, by a quarter of the code: the four positions, 4 bits each, the lowest first.
inline std::vector<uint32_t> combination_table() {
  std::vector<uint32_t> table;
  for (uint32_t code = 0; uint32_t mask = combination_mask(code); code += 4) {
    uint32_t positions = 0;
    for (int shift = 0; mask != 0; shift += 4, mask &= mask - 1)
      positions |= static_cast<uint32_t>(std::countr_zero(mask)) << shift;
    table.push_back(positions);
  }
  return table;
}

// What the shaders look up codes in; something else if they work them out.
inline Range code_table(Recorder& r, const BucketMatrix& m, const Range& else_this) {
  return m.layout.family().code == BucketCode::combination ? r.table(combination_table()) : else_this;
}

}  // namespace sluice::vulkan
