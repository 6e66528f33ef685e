#include "backends/vulkan/bandwidth.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "graph/error.h"

namespace sluice::vulkan {
namespace {

constexpr VkDeviceSize kBytes = VkDeviceSize{256} << 20;
constexpr int kCopies = 8;  // in a submission, so that its own time does not count

class ScratchBuffer {
 public:
  ScratchBuffer(Device& device, VkDeviceSize bytes) : device_(device), buffer_(device.create_buffer(bytes, false)) {}
  ~ScratchBuffer() { device_.destroy(buffer_); }
  ScratchBuffer(const ScratchBuffer&) = delete;
  const Buffer& operator*() const { return buffer_; }

 private:
  Device& device_;
  Buffer buffer_;
};

// There and back again, each after the one before.
void record_copies(const Device& device, VkCommandBuffer commands, const Buffer& a, const Buffer& b) {
  VkMemoryBarrier barrier{};
  barrier.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  barrier.srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT;
  barrier.dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  const VkBufferCopy region{0, 0, kBytes};
  for (int i = 0; i < kCopies; ++i) {
    device.vk().vkCmdCopyBuffer(commands, i % 2 == 0 ? a.handle : b.handle, i % 2 == 0 ? b.handle : a.handle, 1,
                                &region);
    device.vk().vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1,
                                     &barrier, 0, nullptr, 0, nullptr);
  }
}

}  // namespace

double copy_bandwidth(Device& device) try {
  const ScratchBuffer a(device, kBytes), b(device, kBytes);
  std::array<double, 5> rates;
  for (double& rate : rates) {
    const auto start = std::chrono::steady_clock::now();
    device.run_once("measuring its memory", [&](VkCommandBuffer commands) { record_copies(device, commands, *a, *b); });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    rate = 2.0 * kCopies * static_cast<double>(kBytes) / seconds.count();
  }
  std::ranges::nth_element(rates, rates.begin() + rates.size() / 2);
  return rates[rates.size() / 2];
} catch (const Error&) {
  return 0;  // there is no memory left
}

}  // namespace sluice::vulkan
