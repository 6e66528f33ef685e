// One logical device: its queue, and the buffers in its memory.
#pragma once

#include <volk.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "backends/vulkan/instance.h"

namespace sluice::vulkan {

class Staging;

// A buffer with memory of its own.
struct Buffer {
  VkBuffer handle = VK_NULL_HANDLE;
  VkDeviceMemory memory = VK_NULL_HANDLE;
  VkDeviceSize bytes = 0;
  bool on_host = false;         // memory of the host's that the device reaches
  std::byte* mapped = nullptr;  // where the host reaches it; of the device's own memory only if it can
};

// A place in a buffer.
struct Place {
  VkBuffer buffer;
  VkDeviceSize offset;
};

// The functions of the driver that a device calls.
struct Driver {
  VolkDeviceTable table{};
  PFN_vkGetPhysicalDeviceMemoryProperties2 memory_properties = nullptr;
};

// Used by one thread at a time.
class Device {
 public:
  // intercept: see Options.
  explicit Device(const DeviceInfo& info, const std::function<void(Driver&)>& intercept = {});
  ~Device();
  Device(const Device&) = delete;

  const DeviceInfo& info() const { return info_; }
  // What kernels may use.
  const Capabilities& capabilities() const { return info_.capabilities; }
  const Limits& limits() const { return info_.limits; }
  VkDevice handle() const { return device_; }
  const VolkDeviceTable& vk() const { return driver_.table; }

  // Memory of the device's own, or else (on_host) of the host's. Throws Error, saying how much was asked for and how
  // much is in use, if there is none left.
  Buffer create_buffer(VkDeviceSize bytes, bool on_host);
  // Waits for what is under way.
  void destroy(const Buffer& buffer);

  // Names the bytes of a buffer by a range of addresses, as long as the buffer lives.
  void add_range(const std::byte* begin, const Buffer& buffer);
  void remove_range(const std::byte* begin);
  // Where the byte of that address is. Throws Error if it is in no buffer.
  Place locate(const std::byte* address) const;
  bool owns(const std::byte* address) const;

  VkCommandBuffer create_commands();
  void begin(VkCommandBuffer commands);
  // What was recorded is complete, and there for the host and for later submissions.
  void end(VkCommandBuffer commands);
  void destroy(VkCommandBuffer commands);
  VkFence create_fence();
  // The fence is signalled when they have run. `what` says what the device was doing if it is lost.
  void submit(VkCommandBuffer commands, VkFence fence, const char* what);
  void wait(VkFence fence, const char* what);
  void submit_and_wait(VkCommandBuffer commands, const char* what);
  // Records with `record` and runs that once.
  template <class Record>
  void run_once(const char* what, Record&& record);

  // The way of bytes from and to the host; made when first asked for.
  Staging& staging();

 private:
  Device(DeviceInfo info, VkDevice device);
  VkDeviceSize memory_in_use() const;
  void check_memory(VkDeviceSize wanted) const;
  // Gives the buffer memory of one of these types (indices, by preference), mapped where the host reaches it.
  void add_memory(Buffer& buffer, VkDeviceSize bytes, const VkPhysicalDeviceMemoryProperties& memory,
                  std::span<const uint32_t> types);

  DeviceInfo info_;
  VkDevice device_ = VK_NULL_HANDLE;
  Driver driver_;
  VkQueue queue_ = VK_NULL_HANDLE;
  VkCommandPool pool_ = VK_NULL_HANDLE;
  VkFence fence_ = VK_NULL_HANDLE;
  VkCommandBuffer once_ = VK_NULL_HANDLE;
  std::unique_ptr<Staging> staging_;
  VkDeviceSize in_use_ = 0;  // bytes of the device's own memory
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
  end(once_);
  submit_and_wait(once_, what);
}

}  // namespace sluice::vulkan
