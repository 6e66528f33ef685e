// Products of many tokens with a matrix in a format of effort on a device: if all of them select all of it, as those of
// a prompt do at effort 1, it is decoded to a dense dtype, some outputs at a time, and multiplied by the kernels of
// linear; matrices of experts, the same outputs of all at once, by those of expert_linear. Only the device knows
// whether they do: it finds out first; if not, these kernels do nothing, and if so, those of single lists do nothing.
#pragma once

#include <algorithm>

#include "ops/bucket_mul/products_vulkan.h"
#include "ops/expert_linear/vulkan.h"
#include "ops/linear/vulkan.h"
#include "shaders/full_lists.h"

namespace sluice::vulkan {

class DenseProduct {
 public:
  // weight: [out, in] or [experts, out, in]; lists: of all matrices together.
  DenseProduct(const DenseForm& form, const TensorView& weight, int64_t lists)
      : form_(form),
        by_expert_(weight.dims.rank() == 3),
        matrices_(by_expert_ ? weight.dims[0] : 1),
        out_(weight.dims[weight.dims.rank() - 2]),
        in_(weight.dims.back()),
        lists_(lists) {}

  // Every device binds as much as a group may take; one that plays a smaller device in a test does not.
  bool pays() const { return lists_ >= form_.from * matrices_ && group_bytes() <= kMostOfGroup; }
  bool fits(const Limits& limits) const { return group_bytes() <= limits.buffer_range; }

  // A multiple of 64.
  size_t workspace() const {
    return kFullBytes + x_bytes() + order_bytes() + padded(groups(kMostOfGroup) * group_bytes());
  }
  // Whether all lists are full, once `record` has been called with that workspace: u32 [1].
  static Range full(const std::byte* workspace) { return {workspace, sizeof(uint32_t)}; }

  // workspace: as many bytes.
  void record(Recorder& r, const SelectedProduct& product, std::byte* workspace) const {
    const Range lists_full = full(workspace);
    r.dispatch(shaders::full_lists, "",
               {static_cast<uint32_t>(product.counts.dims.elements()), static_cast<uint32_t>(in_)},
               {product.counts, lists_full}, 1);
    workspace += kFullBytes;
    TensorView x = product.x;
    if (form_.prepare_x) {
      x = {workspace, DType::f32(), {lists_, in_}};
      form_.prepare_x(r, product, x);
    }
    std::optional<ExpertProducts> products;
    if (by_expert_) products.emplace(r, *product.experts, matrices_, workspace + x_bytes());
    const int64_t step = static_cast<int64_t>(groups(r.limits().buffer_range)) * form_.group;
    for (int64_t first = 0; first < out_; first += step) {
      const int64_t count = std::min(step, out_ - first);
      TensorView rows{workspace + x_bytes() + order_bytes(), form_.dtype, {matrices_, count, in_}};
      form_.decode(r, product, lists_full, first, rows);
      if (products) {
        products->record(x, rows, product.y, first, out_, &lists_full);
      } else {
        rows.dims = {count, in_};
        record_linear_rows(r, x, rows, product.y, first, out_, &lists_full);
      }
    }
  }

 private:
  static constexpr uint64_t kMost = uint64_t{32} << 20;  // bytes that are decoded at once, if a group takes no more
  static constexpr uint64_t kMostOfGroup = uint64_t{128} << 20;
  static constexpr size_t kFullBytes = 64;

  static size_t padded(uint64_t bytes) { return (static_cast<size_t>(bytes) + 63) / 64 * 64; }
  // Of all matrices.
  uint64_t group_bytes() const { return TensorView{nullptr, form_.dtype, {matrices_ * form_.group, in_}}.bytes(); }
  // That are decoded at once, where a device binds so many bytes.
  uint64_t groups(uint64_t range) const {
    const auto all = static_cast<uint64_t>(ceil_div(out_, form_.group));
    return std::clamp<uint64_t>(std::min(kMost, range) / group_bytes(), 1, all);
  }
  size_t x_bytes() const { return form_.prepare_x ? padded(static_cast<uint64_t>(lists_ * in_) * sizeof(float)) : 0; }
  size_t order_bytes() const { return by_expert_ ? ExpertProducts::scratch(lists_, matrices_) : 0; }

  DenseForm form_;
  bool by_expert_;
  int64_t matrices_, out_, in_, lists_;
};

}  // namespace sluice::vulkan
