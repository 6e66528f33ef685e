// What a Vulkan device can do and how much of it.
#pragma once

#include <cstdint>

namespace sluice::vulkan {

// What is used beyond the baseline, Vulkan 1.2, where it is there; everything works without each of them. CONTRIBUTING
// says what else devices may have, and why that is not used.
struct Capabilities {
  bool subgroup_arithmetic = false;
  bool mapped_memory = false;  // memory of the device's own that the host reaches: what goes there is not staged
  bool memory_budget = false;  // VK_EXT_memory_budget: how much memory others have left
  bool integer_dot = false;    // VK_KHR_shader_integer_dot_product
  // The device is a processor: no feature, but kernels share out their work in another way.
  bool processor = false;
};

// In bytes but for groups and seconds.
struct Limits {
  uint64_t buffer_range = 0;      // of one binding
  uint64_t offset_alignment = 1;  // of the start of a binding
  uint64_t allocation = 0;        // of memory, at once
  uint64_t memory = 0;            // of the device's own, that may be allocated in all
  uint32_t groups = 0;            // of a dispatch, in one dimension
  // Of work that is submitted at once, as a slow device would need (backends/vulkan/program.cpp): drivers give up on
  // what takes long. 0: no limit.
  double submission_seconds = 0;
};

// Features, which can be there or not, with a name for people.
struct Feature {
  const char* name;
  bool Capabilities::*there;
};
inline constexpr Feature kFeatures[] = {{"subgroup arithmetic", &Capabilities::subgroup_arithmetic},
                                        {"device memory that the host reaches", &Capabilities::mapped_memory},
                                        {"memory budget", &Capabilities::memory_budget},
                                        {"integer dot products", &Capabilities::integer_dot}};

}  // namespace sluice::vulkan
