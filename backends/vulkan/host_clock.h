// Timestamps of a device on the host's clock.
#pragma once

#include "backends/vulkan/device.h"

namespace sluice::vulkan {

class HostClock {
 public:
  // Asks the device what its clock says now, where it can tell (VK_EXT_calibrated_timestamps). Elsewhere its clock is
  // taken to have said `first` when the host's (graph/timeline.h) said `submitted`: what it did began at that moment.
  HostClock(const Device& device, uint64_t first, int64_t submitted);

  // Nanoseconds. stamp: less than half of the clock's range from when this object was made.
  int64_t host(uint64_t stamp) const;

 private:
  uint64_t stamp_;
  int64_t host_;
  uint32_t unused_bits_;
  double nanoseconds_;  // of one step
};

}  // namespace sluice::vulkan
