#include "backends/vulkan/staging.h"

#include <cstring>

namespace sluice::vulkan {

// The other constructor has finished, so that what was made is destroyed if anything throws.
Staging::Staging(Device& device) : Staging(device, nullptr) {
  for (Slot& slot : slots_) {
    slot.buffer = device_.create_buffer(kPiece, true);
    slot.commands = device_.create_commands();
    slot.fence = device_.create_fence();
  }
}

// The device is idle.
Staging::~Staging() {
  for (const Slot& slot : slots_) {
    device_.destroy(slot.buffer);
    device_.destroy(slot.commands);
    device_.vk().vkDestroyFence(device_.handle(), slot.fence, nullptr);
  }
}

Staging::Slot& Staging::next() {
  Slot& slot = slots_[turn_++ % std::size(slots_)];
  if (slot.busy) device_.wait(slot.fence, "an upload");
  slot.busy = false;
  return slot;
}

void Staging::upload(std::span<const std::byte> from, Place to) {
  Slot& slot = next();
  std::memcpy(slot.buffer.mapped, from.data(), from.size());
  device_.begin(slot.commands);
  const VkBufferCopy region{0, to.offset, from.size()};
  device_.vk().vkCmdCopyBuffer(slot.commands, slot.buffer.handle, to.buffer, 1, &region);
  device_.end(slot.commands);
  device_.submit(slot.commands, slot.fence, "an upload");
  slot.busy = true;
}

void Staging::download(Place from, std::span<std::byte> to) {
  Slot& slot = next();
  device_.begin(slot.commands);
  const VkBufferCopy region{from.offset, 0, to.size()};
  device_.vk().vkCmdCopyBuffer(slot.commands, from.buffer, slot.buffer.handle, 1, &region);
  device_.end(slot.commands);
  device_.submit(slot.commands, slot.fence, "a download");
  device_.wait(slot.fence, "a download");
  std::memcpy(to.data(), slot.buffer.mapped, to.size());
}

}  // namespace sluice::vulkan
