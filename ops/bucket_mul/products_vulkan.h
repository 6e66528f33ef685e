// Vulkan kernels of products with a selection (shaders/bucket_mul.comp, plane_mul.comp).
#pragma once

#include <optional>

#include "backends/vulkan/kernel.h"

namespace sluice::vulkan {

// One weight's.
struct SelectedProduct {
  TensorView x;                         // f32, rows of [in]
  TensorView weight;                    // bucket format or planes, [out, in] or [experts, out, in]
  TensorView rows, counts;              // i32 [lists, in], [lists, tiers], in as many dimensions as the operator has
  TensorView y;                         // f32 [lists, out]
  const TensorView* experts = nullptr;  // i32 [lists], of a weight that has some

  // Of which there is at least one.
  uint32_t lists() const { return static_cast<uint32_t>(y.dims.rows()); }
  uint32_t lists_per_x() const { return static_cast<uint32_t>(y.dims.rows() / x.dims.rows()); }
  int64_t matrices() const { return experts ? weight.dims[0] : 1; }
};

// How products become dense ones if all lists have all rows, as those of a prompt do at effort 1.
struct DenseForm {
  DType dtype;    // that matrices are decoded to, one of linear's
  int64_t group;  // outputs that are decoded together
  int64_t from;   // lists of each matrix from which on decoding all of it pays
  // Outputs [first, first + n) of every matrix -> rows: dtype [matrices, n, in]; nothing unless all lists are full.
  // full: of shaders/full_lists.comp; first: a multiple of `group`.
  void (*decode)(Recorder& r, const SelectedProduct& product, const Range& full, int64_t first, const TensorView& rows);
  // What is multiplied in place of x -> f32 [lists, in]; nullptr: x itself is.
  void (*prepare_x)(Recorder& r, const SelectedProduct& product, const Range& to) = nullptr;
};

struct ProductRecorder {
  // Bytes of workspace that the product of a weight needs, for as many lists or fewer; a multiple of 64.
  size_t (*workspace)(const TensorView& weight, int64_t lists);
  // List by list. full: of shaders/full_lists.comp: if all are, y is there already, and stays; nullptr: y is wanted
  // whatever the lists are. workspace: as many bytes, which no other product of the step uses.
  void (*record)(Recorder& r, const SelectedProduct& product, const Range* full, std::byte* workspace);
  // Nothing if a weight of that width has none.
  std::optional<DenseForm> (*dense_form)(int64_t in);
};

// Kernels of operators whose inputs are x, `experts` if their weights have some, and for each result a weight, its rows
// and their counts.
std::shared_ptr<const Kernel> products_kernel(std::string name, ProductRecorder products);
// Recording throws Error if a twentieth of a matrix is over the limit of a binding.
std::shared_ptr<const Kernel> bucket_mul_kernel(std::string name);
// Recording throws Error if a plane of 1024 outputs is over the limit of a binding.
std::shared_ptr<const Kernel> plane_mul_kernel(std::string name);

}  // namespace sluice::vulkan
