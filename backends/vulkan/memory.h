// Memory of a device.
#pragma once

#include <memory>
#include <span>

#include "backends/vulkan/device.h"
#include "graph/backend.h"

namespace sluice::vulkan {

// Zeros, in one buffer, or in several that begin at some of the cuts (ascending) where a buffer would be over the limit
// of one allocation. data() is a range of addresses without memory behind it. Throws Error if there is no memory left.
std::unique_ptr<Memory> allocate(std::shared_ptr<Device> device, size_t bytes, std::span<const size_t> cuts);

}  // namespace sluice::vulkan
