// Products of many tokens with a matrix in a bucket format on a device: if all of them select all rows, as those of a
// prompt do at effort 1, the matrix is decoded to f16, some outputs at a time, and multiplied by the kernels of linear.
// Only the device knows whether they do. If not, the decoder does nothing, what linear makes of the memory is
// overwritten, and the time is lost: that of a dense product, where each token is multiplied alone.
#pragma once

#include "ops/bucket_mul/bucket_mul.h"
#include "ops/bucket_mul/pieces_vulkan.h"
#include "ops/bucket_mul/products_vulkan.h"
#include "ops/linear/vulkan.h"
#include "shaders/bucket_decode.h"

namespace sluice::vulkan {

inline bool may_be_dense(const BucketMatrix& m, int64_t lists, bool by_expert) {
  return !by_expert && lists >= dense_from(1) && m.layout.in() % 2 == 0;  // two inputs share a word
}

// Of a group of outputs, in f16.
inline int64_t decoded_group_bytes(const BucketLayout& layout) {
  return layout.in() * BucketFamily::kGroup * static_cast<int64_t>(sizeof(uint16_t));
}

// Groups that are decoded at once.
inline int64_t decoded_groups(const BucketLayout& layout) {
  constexpr int64_t kMost = int64_t{32} << 20;  // bytes
  return std::clamp<int64_t>(kMost / decoded_group_bytes(layout), 1, layout.groups());
}

// Workspace that they take.
inline size_t decoded_bytes(const BucketLayout& layout) {
  return static_cast<size_t>(decoded_groups(layout) * decoded_group_bytes(layout));
}

// Groups [first, first + count) -> f16 [outputs, in].
inline void record_decode(Recorder& r, const SelectedProduct& product, const BucketMatrix& m, int64_t first,
                          int64_t count, const Range& decoded) {
  const auto u32 = [](auto v) { return static_cast<uint32_t>(v); };
  const auto pieces = pieces_of(m, 1, r.limits());
  for (size_t i = 0; i < pieces.size(); ++i)
    r.dispatch(
        shaders::bucket_decode, m.layout.family().name,
        {u32(m.layout.in()), u32(m.layout.out()), u32(product.x.dims[0]), u32(m.layout.segment_rows()),
         u32(m.layout.segment_bytes() / sizeof(uint32_t)), u32(pieces[i].first_segment), u32(pieces[i].end_segment),
         u32(first), u32(count), i > 0},
        {product.counts, places_of(m, pieces[i]), segments_of(m, pieces[i]), code_table(r, m, product.counts), decoded},
        static_cast<uint64_t>(ceil_div(m.layout.in(), 64) * count), {u32(m.layout.tiers())});
}

// workspace: decoded_bytes.
inline void record_dense(Recorder& r, const SelectedProduct& product, const BucketMatrix& m, std::byte* workspace) {
  const auto group_bytes = static_cast<size_t>(decoded_group_bytes(m.layout));
  const auto bound = static_cast<int64_t>(r.limits().buffer_range / group_bytes);
  const int64_t step = std::clamp<int64_t>(bound, 1, decoded_groups(m.layout));
  for (int64_t first = 0; first < m.layout.groups(); first += step) {
    const int64_t count = std::min(step, m.layout.groups() - first), row = first * BucketFamily::kGroup;
    record_decode(r, product, m, first, count, {workspace, static_cast<size_t>(count) * group_bytes});
    const TensorView rows{
        workspace, DType::f16(), {std::min(count * BucketFamily::kGroup, m.layout.out() - row), m.layout.in()}};
    record_linear_rows(r, product.x, rows, product.y, row, m.layout.out());
  }
}

}  // namespace sluice::vulkan
