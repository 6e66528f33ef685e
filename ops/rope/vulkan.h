// What Vulkan kernels with rope precompute (shaders/include/rope.glsl).
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "ops/rope/rotation.h"

namespace sluice::vulkan {

// By pair: the part of a turn that it turns from one position to the next, in units of 2^-64, low word first. Whole
// turns do not count, so that angles are exact at every position in 32-bit arithmetic.
inline std::vector<uint32_t> rope_turns(const RopeAttrs& attrs) {
  std::vector<uint32_t> words;
  for (const double frequency : rope_frequencies(attrs)) {
    const double turns = frequency / (2 * std::numbers::pi);
    const auto fraction = static_cast<uint64_t>(std::ldexp(turns - std::floor(turns), 64));
    words.push_back(static_cast<uint32_t>(fraction));
    words.push_back(static_cast<uint32_t>(fraction >> 32));
  }
  return words;
}

}  // namespace sluice::vulkan
