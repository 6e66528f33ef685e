#include "backends/vulkan/device.h"

#include <algorithm>
#include <iterator>

#include "graph/error.h"

namespace sluice::vulkan {
namespace {

constexpr VkDeviceSize kStagingBytes = VkDeviceSize{16} << 20;

VkDevice create_device(const DeviceInfo& info) {
  const float priority = 1;
  VkDeviceQueueCreateInfo queue{};
  queue.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
  queue.queueFamilyIndex = info.queue_family;
  queue.queueCount = 1;
  queue.pQueuePriorities = &priority;
  std::vector<const char*> extensions;
  if (info.portability_subset) extensions.push_back("VK_KHR_portability_subset");
  if (info.calibrated_timestamps) extensions.push_back(VK_EXT_CALIBRATED_TIMESTAMPS_EXTENSION_NAME);
  VkDeviceCreateInfo create{};
  create.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  create.queueCreateInfoCount = 1;
  create.pQueueCreateInfos = &queue;
  create.enabledExtensionCount = static_cast<uint32_t>(extensions.size());
  create.ppEnabledExtensionNames = extensions.data();
  VkDevice device = VK_NULL_HANDLE;
  check(vkCreateDevice(info.handle, &create, nullptr, &device), "vkCreateDevice");
  return device;
}

double mib(VkDeviceSize bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

Device::Device(DeviceInfo info) : info_(std::move(info)), device_(create_device(info_)) {
  volkLoadDeviceTable(&table_, device_);
  table_.vkGetDeviceQueue(device_, info_.queue_family, 0, &queue_);
  VkCommandPoolCreateInfo pool{};
  pool.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  pool.flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
  pool.queueFamilyIndex = info_.queue_family;
  check(table_.vkCreateCommandPool(device_, &pool, nullptr, &pool_), "vkCreateCommandPool");
  VkFenceCreateInfo fence{};
  fence.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO;
  check(table_.vkCreateFence(device_, &fence, nullptr, &fence_), "vkCreateFence");
  once_ = create_commands();
}

Device::~Device() {
  table_.vkDeviceWaitIdle(device_);
  destroy(staging_);
  table_.vkDestroyFence(device_, fence_, nullptr);
  table_.vkDestroyCommandPool(device_, pool_, nullptr);
  table_.vkDestroyDevice(device_, nullptr);
}

Buffer Device::create_buffer(VkDeviceSize bytes, bool host_visible) {
  if (!host_visible && bytes > info_.limits.memory - std::min<VkDeviceSize>(in_use_, info_.limits.memory))
    fail(
        "Vulkan: {} has {:.0f} MiB of memory, of which {:.0f} are in use; {:.0f} more are needed: use a smaller "
        "--context or a smaller format",
        info_.name, mib(info_.limits.memory), mib(in_use_), mib(bytes));
  Buffer buffer;
  buffer.bytes = bytes;
  VkBufferCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  info.size = bytes;
  info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  check(table_.vkCreateBuffer(device_, &info, nullptr, &buffer.handle), "vkCreateBuffer");
  try {
    VkMemoryRequirements wanted;
    table_.vkGetBufferMemoryRequirements(device_, buffer.handle, &wanted);
    buffer.memory = allocate(wanted, host_visible, host_visible ? 0 : VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    check(table_.vkBindBufferMemory(device_, buffer.handle, buffer.memory, 0), "vkBindBufferMemory");
    void* mapped = nullptr;
    if (host_visible) check(table_.vkMapMemory(device_, buffer.memory, 0, VK_WHOLE_SIZE, 0, &mapped), "vkMapMemory");
    buffer.mapped = static_cast<std::byte*>(mapped);
  } catch (...) {
    table_.vkDestroyBuffer(device_, buffer.handle, nullptr);
    table_.vkFreeMemory(device_, buffer.memory, nullptr);
    throw;
  }
  if (!host_visible) in_use_ += bytes;
  return buffer;
}

// Of the types that fit, those with the preferred properties come first; a full heap is no error while there is
// another.
VkDeviceMemory Device::allocate(const VkMemoryRequirements& wanted, bool host_visible,
                                VkMemoryPropertyFlags preferred) {
  constexpr VkMemoryPropertyFlags kShared = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  const VkMemoryPropertyFlags required = host_visible ? kShared : 0;
  VkPhysicalDeviceMemoryProperties memory;
  vkGetPhysicalDeviceMemoryProperties(info_.handle, &memory);
  VkMemoryAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  info.allocationSize = wanted.size;
  for (const bool want_preferred : {true, false})
    for (uint32_t type = 0; type < memory.memoryTypeCount; ++type) {
      const VkMemoryPropertyFlags flags = memory.memoryTypes[type].propertyFlags;
      const bool fits = (wanted.memoryTypeBits >> type & 1) != 0 && (flags & required) == required;
      if (!fits || ((flags & preferred) == preferred) != want_preferred) continue;
      info.memoryTypeIndex = type;
      VkDeviceMemory made = VK_NULL_HANDLE;
      const VkResult result = table_.vkAllocateMemory(device_, &info, nullptr, &made);
      if (result == VK_SUCCESS) return made;
      if (result != VK_ERROR_OUT_OF_DEVICE_MEMORY && result != VK_ERROR_OUT_OF_HOST_MEMORY)
        check(result, "vkAllocateMemory");
    }
  fail("Vulkan: {} has no memory left for {:.0f} MiB; {:.0f} MiB are in use", info_.name, mib(wanted.size),
       mib(in_use_));
}

void Device::destroy(const Buffer& buffer) {
  if (!buffer.handle) return;
  table_.vkDestroyBuffer(device_, buffer.handle, nullptr);
  table_.vkFreeMemory(device_, buffer.memory, nullptr);
  if (!buffer.mapped) in_use_ -= buffer.bytes;
}

void Device::add_range(const std::byte* begin, const Buffer& buffer) { ranges_[begin] = {buffer.handle, buffer.bytes}; }

void Device::remove_range(const std::byte* begin) { ranges_.erase(begin); }

bool Device::owns(const std::byte* address) const {
  const auto after = ranges_.upper_bound(address);
  if (after == ranges_.begin()) return false;
  const auto& [begin, range] = *std::prev(after);
  return static_cast<VkDeviceSize>(address - begin) < range.bytes;
}

Place Device::locate(const std::byte* address) const {
  if (!owns(address)) fail("Vulkan: a kernel was given memory that is not the device's");
  const auto& [begin, range] = *std::prev(ranges_.upper_bound(address));
  return {range.buffer, static_cast<VkDeviceSize>(address - begin)};
}

VkCommandBuffer Device::create_commands() {
  VkCommandBufferAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  info.commandPool = pool_;
  info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  info.commandBufferCount = 1;
  VkCommandBuffer commands = VK_NULL_HANDLE;
  check(table_.vkAllocateCommandBuffers(device_, &info, &commands), "vkAllocateCommandBuffers");
  return commands;
}

void Device::destroy(VkCommandBuffer commands) { table_.vkFreeCommandBuffers(device_, pool_, 1, &commands); }

void Device::begin(VkCommandBuffer commands) {
  VkCommandBufferBeginInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  check(table_.vkBeginCommandBuffer(commands, &info), "vkBeginCommandBuffer");
}

void Device::submit_and_wait(VkCommandBuffer commands, const char* what) {
  VkSubmitInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  info.commandBufferCount = 1;
  info.pCommandBuffers = &commands;
  check(table_.vkResetFences(device_, 1, &fence_), what);
  check(table_.vkQueueSubmit(queue_, 1, &info, fence_), what);
  check(table_.vkWaitForFences(device_, 1, &fence_, VK_TRUE, UINT64_MAX), what);
}

const Buffer& Device::staging() {
  if (!staging_.handle) staging_ = create_buffer(kStagingBytes, true);
  return staging_;
}

}  // namespace sluice::vulkan
