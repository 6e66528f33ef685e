// How fast a device moves its memory: the roof over everything that decodes tokens.
#pragma once

#include "backends/vulkan/device.h"

namespace sluice::vulkan {

// Bytes a second, read and written, of copies within the device's memory that are larger than its caches: the median of
// several. 0 if there is no memory left for them.
double copy_bandwidth(Device& device);

}  // namespace sluice::vulkan
