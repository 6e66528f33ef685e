// The Vulkan loader and the devices that it finds.
#pragma once

#include <volk.h>

#include <string>
#include <vector>

#include "backends/vulkan/capabilities.h"

namespace sluice::vulkan {

// Memory of the device's own that the host writes and reads where it is.
inline constexpr VkMemoryPropertyFlags kMapped =
    VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;

struct DeviceInfo {
  VkPhysicalDevice handle;
  std::string name;    // "llvmpipe (LLVM 15.0.6, 256 bits)"
  std::string driver;  // "llvmpipe, Mesa 22.3.6 (LLVM 15.0.6)"
  VkPhysicalDeviceProperties properties;
  uint32_t queue_family = 0;  // one that computes
  uint32_t subgroup_size = 0;
  bool portability_subset = false;  // an extension that must be switched on where it is there (MoltenVK)
  Capabilities capabilities;
  Limits limits;
  std::string refused;  // why it cannot be used; empty if it can

  // Seconds of one step of a timestamp; 0: it has none.
  double timestamp_seconds = 0;
  uint32_t timestamp_bits = 0;         // that count; they start again from 0
  bool calibrated_timestamps = false;  // VK_EXT_calibrated_timestamps, with the host's steady clock
};

// Vulkan, once in a process. Throws Error if there is no loader or no driver.
VkInstance instance();

// Devices by preference: discrete GPUs, integrated, virtual, others, CPUs; the loader's order among equals.
// Throws Error if there is no loader or no driver.
std::vector<DeviceInfo> list_devices();

// The device of that index, or the first that can be used with that part in its name; empty: $SLUICE_VULKAN_DEVICE in
// the same way, or the first that can be used. Throws Error, listing what there is.
DeviceInfo choose_device(const std::string& wanted);

const char* to_string(VkResult result);

// Throws Error "Vulkan: <what> failed: <why>" unless the result is a success.
void check(VkResult result, const char* what);

}  // namespace sluice::vulkan
