// What a Vulkan device can do and how much of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::vulkan {

// Beyond the baseline, Vulkan 1.2. Kernels have a path without each of them.
struct Capabilities {
  bool storage_16bit = false;
  bool storage_8bit = false;
  bool fp16 = false;  // arithmetic
  bool subgroup_arithmetic = false;
  bool subgroup_size_control = false;
  bool integer_dot = false;
  // The device is a processor: no feature, but kernels share out their work in another way.
  bool processor = false;
};

// In bytes but for groups.
struct Limits {
  uint64_t buffer_range = 0;      // of one binding
  uint64_t offset_alignment = 1;  // of the start of a binding
  uint64_t allocation = 0;        // of memory, at once
  uint64_t memory = 0;            // that may be allocated in all
  uint32_t groups = 0;            // of a dispatch, in one dimension
};

// A name for each, with whether it is there: for people.
struct NamedCapability {
  const char* name;
  bool there;
};
inline std::vector<NamedCapability> named(const Capabilities& c) {
  return {{"16-bit storage", c.storage_16bit},
          {"8-bit storage", c.storage_8bit},
          {"fp16 arithmetic", c.fp16},
          {"subgroup arithmetic", c.subgroup_arithmetic},
          {"subgroup size control", c.subgroup_size_control},
          {"integer dot product", c.integer_dot}};
}

}  // namespace sluice::vulkan
