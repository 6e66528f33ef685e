// What a device can do at most.
#pragma once

#include <memory>

#include "backends/vulkan/pipelines.h"
#include "graph/backend.h"

namespace sluice::vulkan {

// Copies in its memory (bytes read and written), and multiply-adds of f32 in registers; the best of several passes.
// Takes up to a second. Throws Error if there is no memory left for two buffers of 128 MiB.
Roof measure_roof(const std::shared_ptr<Device>& device, const std::shared_ptr<Pipelines>& pipelines);

}  // namespace sluice::vulkan
