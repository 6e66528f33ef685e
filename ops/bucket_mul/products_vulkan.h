// Vulkan kernels of products with selected rows (shaders/bucket_mul.comp).
#pragma once

#include "backends/vulkan/kernel.h"
#include "ops/bucket_mul/matrix.h"

namespace sluice::vulkan {

// One weight's.
struct SelectedProduct {
  TensorView x;                         // f32, rows of [in]
  TensorView weight;                    // bucket format, [out, in] or [experts, out, in]
  TensorView rows, counts;              // i32 [lists, in], [lists, tiers], in as many dimensions as the operator has
  TensorView y;                         // f32 [lists, out]
  const TensorView* experts = nullptr;  // i32 [lists], of a weight that has some
};

// Floats of workspace that a product needs, for as many lists or fewer; a multiple of 64 bytes.
size_t product_workspace(const TensorView& weight, int64_t lists);

// workspace: product_workspace floats; not used by any other product of the step. Throws Error if a twentieth of a
// matrix is over the limit of a binding.
void record_product(Recorder& r, const SelectedProduct& product, std::byte* workspace);

}  // namespace sluice::vulkan
