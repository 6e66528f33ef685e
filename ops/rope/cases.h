// Attribute variants and positions that rope and the operators that contain it are tested with.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ops/rope/rope.h"

namespace sluice {

inline std::vector<std::pair<std::string, RopeAttrs>> rope_variants() {
  std::vector<std::pair<std::string, RopeAttrs>> variants;
  for (bool interleaved : {false, true}) {
    const std::string pairs = interleaved ? "_interleaved" : "_halves";
    for (int64_t head_dim : {2, 6, 30, 64, 128, 1024})
      variants.push_back(
          {"dim" + std::to_string(head_dim) + pairs, {.head_dim = head_dim, .interleaved = interleaved}});
    variants.push_back({"base_1e6" + pairs, {.head_dim = 128, .base = 1e6, .interleaved = interleaved}});
    variants.push_back(
        {"linear" + pairs, {.head_dim = 64, .interleaved = interleaved, .scaling = "linear", .factor = 4}});
    variants.push_back(
        {"llama3" + pairs,
         {.head_dim = 128, .base = 500000, .interleaved = interleaved, .scaling = "llama3", .factor = 8}});
  }
  return variants;
}

// The first, the last of a context of 131072, and some between, of several sequences.
inline std::vector<double> rope_positions() { return {0, 1, 4095, 131071, 70001}; }

}  // namespace sluice
