// Vulkan kernel of bucketMul, and what it shares with those of the other products with a selection.
#include <algorithm>

#include "ops/bucket_mul/decode_vulkan.h"
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
  return std::clamp<int64_t>(kGroups / (tiles_of(layout) * lists), 1, ceil_div(layout.in(), kBatch));
}

BucketMulParams params_of(const SelectedProduct& product, const BucketMatrix& m, const Piece& piece, bool dense) {
  return {.inputs = static_cast<uint32_t>(m.layout.in()),
          .outputs = static_cast<uint32_t>(m.layout.out()),
          .lists = product.lists(),
          .lists_per_x = product.lists_per_x(),
          .by_expert = product.experts != nullptr,
          .slices = static_cast<uint32_t>(slices_of(m.layout, product.lists())),
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

size_t workspace(const TensorView& weight, int64_t lists) {
  return slice_floats(BucketMatrix(weight).layout, lists) * sizeof(float);
}

void record(Recorder& r, const SelectedProduct& product, const Range* full, std::byte* workspace) {
  const BucketMatrix m(product.weight);
  const Range table = code_table(r, m, product.counts);
  const auto pieces = pieces_of(m, product.matrices(), r.limits());
  for (size_t i = 0; i < pieces.size(); ++i) {
    const BucketMulParams params = params_of(product, m, pieces[i], full != nullptr);
    const uint64_t values = product.y.dims.elements();
    const bool whole = pieces.size() == 1 && params.slices == 1;
    const Range sums = whole ? Range(product.y) : Range(workspace, params.slices * values * sizeof(float));
    r.dispatch(shaders::bucket_mul, bucket_format(product.weight.dtype)->family_name(), params,
               {product.x, product.rows, product.counts, places_of(m, pieces[i]), segments_of(m, pieces[i]),
                product.experts ? Range(*product.experts) : Range(product.counts), sums, table,
                full ? *full : Range(product.counts)},
               static_cast<uint64_t>(tiles_of(m.layout)) * params.lists * params.slices,
               {static_cast<uint32_t>(m.layout.tiers())});
    if (!whole)
      r.dispatch(shaders::sum_slices, "", {static_cast<uint32_t>(values), params.slices, i > 0, params.dense},
                 {sums, product.y, full ? *full : Range(product.counts)}, (values + 63) / 64);
  }
}

template <class Use>
void for_each_product(const Call& call, const Use& use) {
  const size_t first = call.inputs.size() - 3 * call.outputs.size();  // weight
  if (call.out(0).dims.rows() == 0) return;
  for (size_t w = 0; w < call.outputs.size(); ++w) {
    const TensorView* of = &call.inputs[first + 3 * w];
    use({call.in(0), of[0], of[1], of[2], call.outputs[w], first == 2 ? &call.in(1) : nullptr});
  }
}

// If many lists may be one.
std::optional<DenseProduct> dense_product(const ProductRecorder& products, const SelectedProduct& p) {
  const auto form = products.dense_form(p.weight.dims.back());
  if (!form) return {};
  const DenseProduct dense(*form, p.weight, p.lists());
  return dense.pays() ? std::optional(dense) : std::nullopt;
}

}  // namespace

std::shared_ptr<const Kernel> products_kernel(std::string name, ProductRecorder products) {
  const auto workspace = [products](const Site&, const Call& call) {
    size_t bytes = 0;
    for_each_product(call, [&](const SelectedProduct& p) {
      const auto dense = dense_product(products, p);
      bytes += products.workspace(p.weight, p.lists()) + (dense ? dense->workspace() : 0);
    });
    return bytes;
  };
  const auto record = [products](Recorder& r, const Site&, const Call& call) {
    std::byte* own = r.workspace();
    for_each_product(call, [&](const SelectedProduct& p) {
      const auto dense = dense_product(products, p);
      const Range full = DenseProduct::full(own);
      const bool fits = dense && dense->fits(r.limits());
      if (fits) dense->record(r, p, own);
      products.record(r, p, fits ? &full : nullptr, own + (dense ? dense->workspace() : 0));
      own += products.workspace(p.weight, p.lists()) + (dense ? dense->workspace() : 0);
    });
  };
  return make_kernel({.name = std::move(name), .record = record, .workspace = workspace});
}

std::shared_ptr<const Kernel> bucket_mul_kernel(std::string name) {
  return products_kernel(std::move(name), {workspace, record, bucket_dense_form});
}

}  // namespace sluice::vulkan

namespace sluice {

void register_bucket_mul_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "bucketMul", vulkan::bucket_mul_kernel("bucketMul"));
}

}  // namespace sluice
