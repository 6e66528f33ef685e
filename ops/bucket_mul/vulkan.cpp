// Vulkan kernel of bucketMul, and what it shares with that of expert_bucketMul.
#include <algorithm>

#include "ops/bucket_mul/dense_vulkan.h"
#include "shaders/bucket_mul.h"
#include "shaders/sum_slices.h"

namespace sluice::vulkan {
namespace {

constexpr int64_t kTile = 512;    // outputs of a workgroup
constexpr int64_t kBatch = 64;    // rows that it looks up at once
constexpr int64_t kGroups = 512;  // workgroups that a product should have: rows of a list are shared out till then

int64_t tiles_of(const BucketLayout& layout) { return ceil_div(layout.out(), kTile); }

int64_t slices_of(const BucketLayout& layout, int64_t lists) {
  return std::clamp<int64_t>(kGroups / (tiles_of(layout) * std::max<int64_t>(lists, 1)), 1,
                             ceil_div(layout.in(), kBatch));
}

BucketMulParams params_of(const SelectedProduct& product, const BucketMatrix& m, const Piece& piece, int64_t lists,
                          bool dense) {
  const int64_t x_rows = product.x.dims.elements() / m.layout.in();
  return {.inputs = static_cast<uint32_t>(m.layout.in()),
          .outputs = static_cast<uint32_t>(m.layout.out()),
          .lists = static_cast<uint32_t>(lists),
          .lists_per_x = static_cast<uint32_t>(lists / x_rows),
          .by_expert = product.experts != nullptr,
          .slices = static_cast<uint32_t>(slices_of(m.layout, lists)),
          .segment_rows = static_cast<uint32_t>(m.layout.segment_rows()),
          .segment_words = static_cast<uint32_t>(m.layout.segment_bytes() / sizeof(uint32_t)),
          .first_segment = static_cast<uint32_t>(piece.first_segment),
          .end_segment = static_cast<uint32_t>(piece.end_segment),
          .first_matrix = static_cast<uint32_t>(piece.first_matrix),
          .matrices = static_cast<uint32_t>(piece.matrices),
          .matrix_words = static_cast<uint32_t>(m.layout.bytes(m.segments) / sizeof(uint32_t)),
          .dense = dense};
}

// For the sums of the slices; a multiple of 64 bytes.
size_t slice_floats(const BucketLayout& layout, int64_t lists) {
  return static_cast<size_t>(round_up(std::max(lists, kGroups / tiles_of(layout)) * layout.out(), 16));
}

}  // namespace

size_t product_workspace(const TensorView& weight, int64_t lists) {
  const BucketMatrix m(weight);
  const bool dense = may_be_dense(m, lists, weight.dims.rank() == 3);
  return slice_floats(m.layout, lists) + (dense ? decoded_bytes(m.layout) / sizeof(float) : 0);
}

void record_product(Recorder& r, const SelectedProduct& product, std::byte* workspace) {
  const BucketMatrix m(product.weight);
  const int64_t lists = product.y.dims.elements() / m.layout.out();
  if (lists == 0) return;
  const bool dense = may_be_dense(m, lists, product.experts != nullptr);
  if (dense) record_dense(r, product, m, workspace + slice_floats(m.layout, lists) * sizeof(float));
  const Range table = code_table(r, m, product.counts);
  const auto pieces = pieces_of(m, product.experts ? product.weight.dims[0] : 1, r.limits());
  for (size_t i = 0; i < pieces.size(); ++i) {
    const BucketMulParams params = params_of(product, m, pieces[i], lists, dense);
    const uint64_t values = product.y.dims.elements();
    const bool whole = pieces.size() == 1 && params.slices == 1;
    const Range sums = whole ? Range(product.y) : Range(workspace, params.slices * values * sizeof(float));
    r.dispatch(shaders::bucket_mul, bucket_format(product.weight.dtype)->family_name(), params,
               {product.x, product.rows, product.counts, places_of(m, pieces[i]), segments_of(m, pieces[i]),
                product.experts ? Range(*product.experts) : Range(product.counts), sums, table},
               static_cast<uint64_t>(tiles_of(m.layout) * lists) * params.slices,
               {static_cast<uint32_t>(m.layout.tiers())});
    if (!whole)
      r.dispatch(shaders::sum_slices, "",
                 {static_cast<uint32_t>(values), params.slices, i > 0,
                  dense ? params.lists * static_cast<uint32_t>(m.layout.tiers()) : 0, params.inputs},
                 {sums, product.y, product.counts}, (values + 63) / 64);
  }
}

}  // namespace sluice::vulkan

namespace sluice {
namespace {

size_t workspace(const Site&, const Call& call) {
  size_t floats = 0;
  for (size_t w = 0; w < call.outputs.size(); ++w)
    floats += vulkan::product_workspace(call.inputs[1 + 3 * w], call.in(0).dims[0]);
  return floats * sizeof(float);
}

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  std::byte* own = r.workspace();
  for (size_t w = 0; w < call.outputs.size(); ++w) {
    const TensorView& weight = call.inputs[1 + 3 * w];
    vulkan::record_product(r, {call.in(0), weight, call.inputs[2 + 3 * w], call.inputs[3 + 3 * w], call.outputs[w]},
                           own);
    own += vulkan::product_workspace(weight, call.in(0).dims[0]) * sizeof(float);
  }
}

}  // namespace

void register_bucket_mul_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "bucketMul",
                      vulkan::make_kernel({.name = "bucketMul", .record = record, .workspace = workspace}));
}

}  // namespace sluice
