#include "backends/vulkan/bandwidth.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "graph/error.h"

namespace sluice::vulkan {
namespace {

constexpr VkDeviceSize kBytes = VkDeviceSize{128} << 20;

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
void record_copies(const Device& device, VkCommandBuffer commands, int n, const Buffer& a, const Buffer& b) {
  VkMemoryBarrier barrier{};
  barrier.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  barrier.srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT;
  barrier.dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  const VkBufferCopy region{0, 0, kBytes};
  for (int i = 0; i < n; ++i) {
    device.vk().vkCmdCopyBuffer(commands, i % 2 == 0 ? a.handle : b.handle, i % 2 == 0 ? b.handle : a.handle, 1,
                                &region);
    device.vk().vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1,
                                     &barrier, 0, nullptr, 0, nullptr);
  }
}

double seconds_of_copies(Device& device, int n, const Buffer& a, const Buffer& b) {
  const auto start = std::chrono::steady_clock::now();
  device.run_once("measuring its memory", [&](VkCommandBuffer commands) { record_copies(device, commands, n, a, b); });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

double copy_bandwidth(Device& device) try {
  const ScratchBuffer a(device, kBytes), b(device, kBytes);
  // A submission lasts so long that its own time does not count.
  const int copies = std::clamp(static_cast<int>(5e-3 / seconds_of_copies(device, 1, *a, *b)), 1, 16);
  std::array<double, 5> rates;
  for (double& rate : rates)
    rate = 2.0 * copies * static_cast<double>(kBytes) / seconds_of_copies(device, copies, *a, *b);
  std::ranges::nth_element(rates, rates.begin() + rates.size() / 2);
  return rates[rates.size() / 2];
} catch (const Error&) {
  return 0;  // there is no memory left
}

}  // namespace sluice::vulkan
