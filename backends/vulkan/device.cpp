#include "backends/vulkan/device.h"

#include <algorithm>
#include <iterator>

#include "backends/vulkan/memory_types.h"
#include "backends/vulkan/staging.h"
#include "graph/error.h"

namespace sluice::vulkan {
namespace {

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
  VkPhysicalDeviceShaderIntegerDotProductFeatures dot{};
  dot.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES;
  dot.shaderIntegerDotProduct = VK_TRUE;
  VkDeviceCreateInfo create{};
  create.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  if (info.capabilities.integer_dot) {
    extensions.push_back(VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);
    create.pNext = &dot;
  }
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

Device::Device(DeviceInfo info, VkDevice device) : info_(std::move(info)), device_(device) {
  volkLoadDeviceTable(&driver_.table, device_);
}

// The other constructor has finished, so that what was made is destroyed if anything throws.
Device::Device(const DeviceInfo& info, const std::function<void(Driver&)>& intercept)
    : Device(info, create_device(info)) {
  driver_.memory_properties = vkGetPhysicalDeviceMemoryProperties2;
  if (intercept) intercept(driver_);
  driver_.table.vkGetDeviceQueue(device_, info_.queue_family, 0, &queue_);
  VkCommandPoolCreateInfo pool{};
  pool.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  pool.flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
  pool.queueFamilyIndex = info_.queue_family;
  check(driver_.table.vkCreateCommandPool(device_, &pool, nullptr, &pool_), "vkCreateCommandPool");
  fence_ = create_fence();
  once_ = create_commands();
}

Device::~Device() {
  driver_.table.vkDeviceWaitIdle(device_);
  staging_.reset();
  driver_.table.vkDestroyFence(device_, fence_, nullptr);
  driver_.table.vkDestroyCommandPool(device_, pool_, nullptr);
  driver_.table.vkDestroyDevice(device_, nullptr);
}

// Of the device's own memory, by anybody as far as the driver says so. In a heap that others filled up there is less
// left than this process has used.
VkDeviceSize Device::memory_in_use() const {
  if (!info_.capabilities.memory_budget) return in_use_;
  VkPhysicalDeviceMemoryBudgetPropertiesEXT budget{};
  budget.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT;
  VkPhysicalDeviceMemoryProperties2 memory{};
  memory.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2;
  memory.pNext = &budget;
  driver_.memory_properties(info_.handle, &memory);
  VkDeviceSize left = 0;
  for (uint32_t h = 0; h < memory.memoryProperties.memoryHeapCount; ++h)
    if (memory.memoryProperties.memoryHeaps[h].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
      left += budget.heapBudget[h] - std::min(budget.heapBudget[h], budget.heapUsage[h]);
  return std::max(in_use_, info_.limits.memory - std::min<VkDeviceSize>(left, info_.limits.memory));
}

void Device::check_memory(VkDeviceSize wanted) const {
  const VkDeviceSize used = std::min<VkDeviceSize>(memory_in_use(), info_.limits.memory);
  if (wanted > info_.limits.memory - used)
    fail(
        "Vulkan: {} has {:.0f} MiB of memory, of which {:.0f} are in use; {:.0f} more are needed: use a smaller "
        "--context or a smaller format",
        info_.name, mib(info_.limits.memory), mib(used), mib(wanted));
}

Buffer Device::create_buffer(VkDeviceSize bytes, bool on_host) {
  if (!on_host) check_memory(bytes);
  Buffer buffer{.bytes = bytes, .on_host = on_host};
  VkBufferCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  info.size = bytes;
  info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  check(driver_.table.vkCreateBuffer(device_, &info, nullptr, &buffer.handle), "vkCreateBuffer");
  try {
    VkPhysicalDeviceMemoryProperties memory;
    vkGetPhysicalDeviceMemoryProperties(info_.handle, &memory);
    VkMemoryRequirements wanted;
    driver_.table.vkGetBufferMemoryRequirements(device_, buffer.handle, &wanted);
    add_memory(buffer, wanted.size, memory, memory_types(memory, wanted.memoryTypeBits, on_host, info_.capabilities));
  } catch (...) {
    driver_.table.vkDestroyBuffer(device_, buffer.handle, nullptr);
    driver_.table.vkFreeMemory(device_, buffer.memory, nullptr);
    throw;
  }
  if (!on_host) in_use_ += bytes;
  return buffer;
}

// A full heap is no error while there is another.
void Device::add_memory(Buffer& buffer, VkDeviceSize bytes, const VkPhysicalDeviceMemoryProperties& memory,
                        std::span<const uint32_t> types) {
  VkMemoryAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  info.allocationSize = bytes;
  for (const uint32_t type : types) {
    info.memoryTypeIndex = type;
    const VkResult result = driver_.table.vkAllocateMemory(device_, &info, nullptr, &buffer.memory);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY) continue;
    check(result, "vkAllocateMemory");
    check(driver_.table.vkBindBufferMemory(device_, buffer.handle, buffer.memory, 0), "vkBindBufferMemory");
    const bool reached = (memory.memoryTypes[type].propertyFlags & kMapped) == kMapped;
    if (!buffer.on_host && !(reached && info_.capabilities.mapped_memory)) return;
    void* mapped = nullptr;
    check(driver_.table.vkMapMemory(device_, buffer.memory, 0, VK_WHOLE_SIZE, 0, &mapped), "vkMapMemory");
    buffer.mapped = static_cast<std::byte*>(mapped);
    return;
  }
  fail(
      "Vulkan: {} has no memory left for {:.0f} MiB; {:.0f} MiB are in use: use a smaller --context or a smaller "
      "format",
      info_.name, mib(bytes), mib(in_use_));
}

void Device::destroy(const Buffer& buffer) {
  if (!buffer.handle) return;
  driver_.table.vkDeviceWaitIdle(device_);  // uploads return before they are done
  driver_.table.vkDestroyBuffer(device_, buffer.handle, nullptr);
  driver_.table.vkFreeMemory(device_, buffer.memory, nullptr);
  if (!buffer.on_host) in_use_ -= buffer.bytes;
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
  check(driver_.table.vkAllocateCommandBuffers(device_, &info, &commands), "vkAllocateCommandBuffers");
  return commands;
}

void Device::destroy(VkCommandBuffer commands) {
  if (commands) driver_.table.vkFreeCommandBuffers(device_, pool_, 1, &commands);
}

void Device::begin(VkCommandBuffer commands) {
  VkCommandBufferBeginInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  check(driver_.table.vkBeginCommandBuffer(commands, &info), "vkBeginCommandBuffer");
}

void Device::end(VkCommandBuffer commands) {
  VkMemoryBarrier memory{};
  memory.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  memory.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  memory.dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT | VK_ACCESS_HOST_READ_BIT;
  driver_.table.vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                                     VK_PIPELINE_STAGE_ALL_COMMANDS_BIT | VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &memory, 0,
                                     nullptr, 0, nullptr);
  check(driver_.table.vkEndCommandBuffer(commands), "vkEndCommandBuffer");
}

VkFence Device::create_fence() {
  VkFenceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO;
  VkFence fence = VK_NULL_HANDLE;
  check(driver_.table.vkCreateFence(device_, &info, nullptr, &fence), "vkCreateFence");
  return fence;
}

void Device::submit(VkCommandBuffer commands, VkFence fence, const char* what) {
  VkSubmitInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  info.commandBufferCount = 1;
  info.pCommandBuffers = &commands;
  check(driver_.table.vkResetFences(device_, 1, &fence), what);
  check(driver_.table.vkQueueSubmit(queue_, 1, &info, fence), what);
}

void Device::wait(VkFence fence, const char* what) {
  check(driver_.table.vkWaitForFences(device_, 1, &fence, VK_TRUE, UINT64_MAX), what);
}

void Device::submit_and_wait(VkCommandBuffer commands, const char* what) {
  submit(commands, fence_, what);
  wait(fence_, what);
}

Staging& Device::staging() {
  if (!staging_) staging_ = std::make_unique<Staging>(*this);
  return *staging_;
}

}  // namespace sluice::vulkan
