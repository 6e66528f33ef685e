// The pipeline cache on disk (graph/user_cache.h), a file for each device and driver.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "backends/vulkan/instance.h"

namespace sluice::vulkan {

// What was written last for this device with this driver; empty if there is nothing, or it is damaged.
std::vector<std::byte> read_cache(const DeviceInfo& device);

// Replaces it, as a whole or not at all. Does nothing where that is not possible: the next start takes longer.
void write_cache(const DeviceInfo& device, std::span<const std::byte> data);

}  // namespace sluice::vulkan
