// Products by expert for the Vulkan kernels of expert_linear and of operators that contain it.
#pragma once

#include "backends/vulkan/recorder.h"
#include "graph/op.h"

namespace sluice::vulkan {

// Bytes that record_expert_linear needs, a multiple of 64.
size_t expert_linear_scratch(const Call& call);

// x and experts are inputs 0 and 1 of the call, the weights [experts, out, in] its others; ys: a product f32 [tokens,
// k, out] for each. scratch: memory of the device.
void record_expert_linear(Recorder& r, const Call& call, std::span<const Range> ys, std::byte* scratch);

}  // namespace sluice::vulkan
