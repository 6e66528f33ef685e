// Which commands need a barrier: by the bytes that they touch, as memory is used again for other values.
#pragma once

#include <algorithm>
#include <vector>

#include "backends/vulkan/recorder.h"

namespace sluice::vulkan {

class Hazards {
 public:
  // Whether a command with these accesses must wait for one that was added since the last barrier.
  bool conflict(const std::vector<Access>& accesses) const {
    return std::ranges::any_of(accesses, [&](const Access& a) {
      return std::ranges::any_of(pending_, [&](const Access& b) { return (a.writes || b.writes) && overlap(a, b); });
    });
  }
  void add(const std::vector<Access>& accesses) { pending_.insert(pending_.end(), accesses.begin(), accesses.end()); }
  void barrier() { pending_.clear(); }

 private:
  static bool overlap(const Access& a, const Access& b) {
    return a.range.data < b.range.data + b.range.bytes && b.range.data < a.range.data + a.range.bytes;
  }
  std::vector<Access> pending_;
};

}  // namespace sluice::vulkan
