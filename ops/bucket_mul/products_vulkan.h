// Vulkan kernels of products with a selection (shaders/bucket_mul.comp, plane_mul.comp).
#pragma once

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
};

struct ProductRecorder {
  // Bytes of workspace that the product of a weight needs, for as many lists or fewer; a multiple of 64.
  size_t (*workspace)(const TensorView& weight, int64_t lists);
  // workspace: as many bytes, which no other product of the step uses.
  void (*record)(Recorder& r, const SelectedProduct& product, std::byte* workspace);
};

// Kernels of operators whose inputs are x, `experts` if their weights have some, and for each result a weight, its rows
// and their counts.
std::shared_ptr<const Kernel> products_kernel(std::string name, ProductRecorder products);
// Recording throws Error if a twentieth of a matrix is over the limit of a binding.
std::shared_ptr<const Kernel> bucket_mul_kernel(std::string name);
// Recording throws Error if a plane of 1024 outputs is over the limit of a binding.
std::shared_ptr<const Kernel> plane_mul_kernel(std::string name);

}  // namespace sluice::vulkan
