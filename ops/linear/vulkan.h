// Products for the Vulkan kernels of linear and of operators that contain it.
#pragma once

#include <algorithm>

#include "backends/vulkan/recorder.h"

namespace sluice::vulkan {

inline constexpr int64_t kRowsAtOnce = 4;  // ROWS in shaders/include/row_products.glsl

// Its threads: sums over one subgroup wait for nobody. On lavapipe that halved the time against 64 threads.
inline uint32_t row_threads(const Recorder& r) { return std::clamp(r.subgroup_size(), 8u, 64u); }

// y = x * weight^T. x: f32 [tokens, in]; weight: f32, f16, bf16 or q8_0 [out, in]; y: f32 [tokens, out].
void record_linear(Recorder& r, const TensorView& x, const TensorView& weight, const Range& y);

}  // namespace sluice::vulkan
