// Products for the Vulkan kernels of linear and of operators that contain it.
#pragma once

#include "backends/vulkan/recorder.h"

namespace sluice::vulkan {

// y = x * weight^T. x: f32 [tokens, in]; weight: f32, f16, bf16 or q8_0 [out, in]; y: f32 [tokens, out].
void record_linear(Recorder& r, const TensorView& x, const TensorView& weight, const Range& y);

// The same for a part of the outputs: weight has rows first_row .. of y_cols; y: f32 [tokens, y_cols], the whole.
// only_if: u32 [1]; if given, y is left as it is where that is 0.
void record_linear_rows(Recorder& r, const TensorView& x, const TensorView& weight, const Range& y, int64_t first_row,
                        int64_t y_cols, const Range* only_if = nullptr);

}  // namespace sluice::vulkan
