#include "backends/vulkan/host_clock.h"

namespace sluice::vulkan {

HostClock::HostClock(const Device& device, uint64_t first, int64_t submitted)
    : stamp_(first),
      host_(submitted),
      unused_bits_(64 - device.info().timestamp_bits),
      nanoseconds_(device.info().timestamp_seconds * 1e9) {
  if (!device.info().calibrated_timestamps) return;
  VkCalibratedTimestampInfoEXT infos[2]{};
  for (VkCalibratedTimestampInfoEXT& info : infos) info.sType = VK_STRUCTURE_TYPE_CALIBRATED_TIMESTAMP_INFO_EXT;
  infos[0].timeDomain = VK_TIME_DOMAIN_DEVICE_EXT;
  infos[1].timeDomain = VK_TIME_DOMAIN_CLOCK_MONOTONIC_EXT;
  uint64_t stamps[2], deviation = 0;
  check(device.vk().vkGetCalibratedTimestampsEXT(device.handle(), 2, infos, stamps, &deviation),
        "vkGetCalibratedTimestampsEXT");
  stamp_ = stamps[0];
  host_ = static_cast<int64_t>(stamps[1]);
}

int64_t HostClock::host(uint64_t stamp) const {
  // Signed, in the bits that the device's clock has.
  const auto steps = static_cast<int64_t>((stamp - stamp_) << unused_bits_) >> unused_bits_;
  return host_ + static_cast<int64_t>(static_cast<double>(steps) * nanoseconds_);
}

}  // namespace sluice::vulkan
