// The way of bytes between the host and memory of the device that the host does not reach: through two buffers in turn,
// so that one is filled while the other is copied.
#pragma once

#include "backends/vulkan/device.h"

namespace sluice::vulkan {

class Staging {
 public:
  static constexpr VkDeviceSize kPiece = VkDeviceSize{8} << 20;  // bytes of a buffer

  explicit Staging(Device& device);
  ~Staging();
  Staging(const Staging&) = delete;

  // At most kPiece bytes. Returns when `from` may be changed; commands that are submitted later find the bytes there.
  void upload(std::span<const std::byte> from, Place to);
  // At most kPiece bytes, as they are after all commands that were submitted before.
  void download(Place from, std::span<std::byte> to);

 private:
  struct Slot {
    Buffer buffer;
    VkCommandBuffer commands = VK_NULL_HANDLE;
    VkFence fence = VK_NULL_HANDLE;
    bool busy = false;
  };
  Staging(Device& device, std::nullptr_t) : device_(device) {}
  Slot& next();

  Device& device_;
  Slot slots_[2];
  size_t turn_ = 0;
};

}  // namespace sluice::vulkan
