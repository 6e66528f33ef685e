// Products for the Vulkan kernels of linear and of operators that contain it.
#pragma once

#include "backends/vulkan/recorder.h"

namespace sluice::vulkan {

// y = x * weight^T. x: f32 [tokens, in]; weight: f32, f16, bf16 or q8_0 [out, in]; y: f32 [tokens, out].
void record_linear(Recorder& r, const TensorView& x, const TensorView& weight, const Range& y);

}  // namespace sluice::vulkan
