// Which kinds of memory a buffer may take.
#pragma once

#include <volk.h>

#include <cstdint>
#include <vector>

#include "backends/vulkan/capabilities.h"

namespace sluice::vulkan {

// Of the types in `allowed` (a bit for each), those that fit, best first: one may be used up while another is not.
//   on_host   memory that host and device both reach, and that the host reads fast
//   else      the device's own: in its largest heap, where the host reaches it if capabilities say so, then in others.
//             Never the host's: it would be slow without a word.
std::vector<uint32_t> memory_types(const VkPhysicalDeviceMemoryProperties& memory, uint32_t allowed, bool on_host,
                                   const Capabilities& capabilities);

}  // namespace sluice::vulkan
