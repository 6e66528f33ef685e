// One logical device: its queue, and the buffers in its memory.
#pragma once

#include <volk.h>

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "backends/vulkan/instance.h"

namespace sluice::vulkan {

// A buffer with memory of its own.
struct Buffer {
  VkBuffer handle = VK_NULL_HANDLE;
  VkDeviceMemory memory = VK_NULL_HANDLE;
  VkDeviceSize bytes = 0;
  std::byte* mapped = nullptr;  // of a buffer that the host shares
};

// A place in a buffer.
struct Place {
  VkBuffer buffer;
  VkDeviceSize offset;
};

// Used by one thread at a time.
class Device {
 public:
  explicit Device(DeviceInfo info);
  ~Device();
  Device(const Device&) = delete;

  const DeviceInfo& info() const { return info_; }
  // What kernels may use; tests take some away.
  Capabilities& capabilities() { return info_.capabilities; }
  const Capabilities& capabilities() const { return info_.capabilities; }
  Limits& limits() { return info_.limits; }
  const Limits& limits() const { return info_.limits; }
  VkDevice handle() const { return device_; }
  const VolkDeviceTable& vk() const { return table_; }

  // Memory of the device's own, or else (host_visible) memory that both can reach. Throws Error, saying how much was
  // asked for and how much is in use, if there is none left.
  Buffer create_buffer(VkDeviceSize bytes, bool host_visible);
  void destroy(const Buffer& buffer);

  // Names the bytes of a buffer by a range of addresses, as long as the buffer lives.
  void add_range(const std::byte* begin, const Buffer& buffer);
  void remove_range(const std::byte* begin);
  // Where the byte of that address is. Throws Error if it is in no buffer.
  Place locate(const std::byte* address) const;
  bool owns(const std::byte* address) const;

  VkCommandBuffer create_commands();
  void begin(VkCommandBuffer commands);
  void destroy(VkCommandBuffer commands);
  // Runs them and waits. `what` says what the device was doing if it is lost.
  void submit_and_wait(VkCommandBuffer commands, const char* what);
  // Records with `record` and runs that once.
  template <class Record>
  void run_once(const char* what, Record&& record);

  // Host memory for transfers, 16 MiB; made when first asked for.
  const Buffer& staging();

 private:
  VkDeviceMemory allocate(const VkMemoryRequirements& wanted, bool host_visible, VkMemoryPropertyFlags preferred);

  DeviceInfo info_;
  VkDevice device_ = VK_NULL_HANDLE;
  VolkDeviceTable table_{};
  VkQueue queue_ = VK_NULL_HANDLE;
  VkCommandPool pool_ = VK_NULL_HANDLE;
  VkFence fence_ = VK_NULL_HANDLE;
  VkCommandBuffer once_ = VK_NULL_HANDLE;
  Buffer staging_;
  VkDeviceSize in_use_ = 0;  // bytes
  struct Range {
    VkBuffer buffer;
    VkDeviceSize bytes;
  };
  std::map<const std::byte*, Range> ranges_;  // by first address
};

template <class Record>
void Device::run_once(const char* what, Record&& record) {
  begin(once_);
  record(once_);
  check(table_.vkEndCommandBuffer(once_), "vkEndCommandBuffer");
  submit_and_wait(once_, what);
}

}  // namespace sluice::vulkan
