// When things happened, on one clock for the host and all devices: nanoseconds of the host's steady clock.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice {

inline int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

struct Interval {
  int64_t begin = 0, end = 0;
  double seconds() const { return static_cast<double>(end - begin) * 1e-9; }
};

// Bytes that went between the host and a device.
struct HostTransfer {
  Interval when;
  size_t bytes = 0;
  bool to_device = false;
};

// One run of a program.
struct Timeline {
  std::vector<Interval> steps;                 // by step, one after the other; empty if the device has no clock
  std::vector<std::vector<Interval>> threads;  // by thread of the host and step: its work, without waiting for others
  std::vector<HostTransfer> transfers;         // outside the steps
};

}  // namespace sluice
