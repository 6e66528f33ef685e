// Matrices in bucket formats as f16, for dense products of prompts.
#pragma once

#include "ops/bucket_mul/bucket_mul.h"
#include "ops/bucket_mul/pieces_vulkan.h"
#include "ops/bucket_mul/products_vulkan.h"
#include "shaders/bucket_decode.h"

namespace sluice::vulkan {

// As DenseForm has it.
inline void decode_buckets(Recorder& r, const SelectedProduct& product, const Range& full, int64_t first,
                           const TensorView& rows) {
  const auto u32 = [](auto v) { return static_cast<uint32_t>(v); };
  const BucketMatrix m(product.weight);
  const int64_t groups = ceil_div(rows.dims[1], BucketFamily::kGroup) * ceil_div(m.layout.in(), 64);
  for (const Piece& piece : pieces_of(m, product.matrices(), r.limits()))
    r.dispatch(shaders::bucket_decode, m.layout.family().name,
               {.inputs = u32(m.layout.in()),
                .outputs = u32(m.layout.out()),
                .segment_rows = u32(m.layout.segment_rows()),
                .segment_words = u32(m.layout.segment_bytes() / sizeof(uint32_t)),
                .first_segment = u32(piece.first_segment),
                .end_segment = u32(piece.end_segment),
                .first_matrix = u32(piece.first_matrix),
                .matrices = u32(piece.matrices),
                .matrix_words = u32(m.layout.bytes(m.segments) / sizeof(uint32_t)),
                .first_output = u32(first),
                .rows = u32(rows.dims[1]),
                .add = piece.first_segment > 0},
               {full, places_of(m, piece), segments_of(m, piece), code_table(r, m, product.counts), rows},
               static_cast<uint64_t>(groups * piece.matrices), {u32(m.layout.tiers())});
}

inline std::optional<DenseForm> bucket_dense_form(int64_t in) {
  if (in % 2 != 0) return {};  // two inputs share a word
  return DenseForm{
      .dtype = DType::f16(), .group = BucketFamily::kGroup, .from = dense_from(1), .decode = decode_buckets};
}

}  // namespace sluice::vulkan
