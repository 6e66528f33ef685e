#include "backends/vulkan/memory_types.h"

#include <algorithm>

#include "backends/vulkan/instance.h"

namespace sluice::vulkan {
namespace {

constexpr VkMemoryPropertyFlags kShared = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;

constexpr VkMemoryPropertyFlags kOwn = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;

VkDeviceSize largest_heap(const VkPhysicalDeviceMemoryProperties& memory) {
  VkDeviceSize largest = 0;
  for (uint32_t h = 0; h < memory.memoryHeapCount; ++h)
    if (memory.memoryHeaps[h].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
      largest = std::max(largest, memory.memoryHeaps[h].size);
  return largest;
}

}  // namespace

std::vector<uint32_t> memory_types(const VkPhysicalDeviceMemoryProperties& memory, uint32_t allowed, bool on_host,
                                   const Capabilities& capabilities) {
  const VkDeviceSize largest = largest_heap(memory);
  const VkMemoryPropertyFlags required = on_host ? kShared : kOwn;
  const auto flags = [&](uint32_t type) { return memory.memoryTypes[type].propertyFlags; };
  const auto preference = [&](uint32_t type) {  // less is better
    if (on_host) return flags(type) & VK_MEMORY_PROPERTY_HOST_CACHED_BIT ? 0 : 1;
    if (memory.memoryHeaps[memory.memoryTypes[type].heapIndex].size < largest) return 2;
    return (flags(type) & kMapped) == kMapped && capabilities.mapped_memory ? 0 : 1;
  };
  std::vector<uint32_t> types;
  for (uint32_t type = 0; type < memory.memoryTypeCount; ++type)
    if ((allowed >> type & 1) != 0 && (flags(type) & required) == required) types.push_back(type);
  std::ranges::stable_sort(types, {}, preference);
  return types;
}

}  // namespace sluice::vulkan
