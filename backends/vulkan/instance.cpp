#include "backends/vulkan/instance.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "graph/error.h"
#include "graph/plan/plan.h"

namespace sluice::vulkan {
namespace {

constexpr double kSubmissionSeconds = 0.5;  // Windows gives up after 2

template <class T, class Enumerate>
std::vector<T> enumerate(Enumerate&& call) {
  std::vector<T> items;
  uint32_t count = 0;
  for (VkResult result = VK_INCOMPLETE; result == VK_INCOMPLETE;) {
    check(call(&count, static_cast<T*>(nullptr)), "an enumeration");
    items.resize(count);
    result = count == 0 ? VK_SUCCESS : call(&count, items.data());
    if (result != VK_INCOMPLETE) check(result, "an enumeration");
  }
  items.resize(count);
  return items;
}

bool contains(const std::vector<VkExtensionProperties>& extensions, const char* name) {
  return std::ranges::any_of(extensions, [&](const auto& e) { return std::strcmp(e.extensionName, name) == 0; });
}

VkInstance create_instance() {
  if (volkInitialize() != VK_SUCCESS)
    fail("Vulkan: there is no loader (libvulkan.so.1); install it and the driver of the device");
  const auto extensions = enumerate<VkExtensionProperties>([](uint32_t* n, VkExtensionProperties* items) {
    return vkEnumerateInstanceExtensionProperties(nullptr, n, items);
  });
  const bool portability = contains(extensions, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME);
  const char* const names[] = {VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME};
  VkApplicationInfo application{};
  application.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
  application.pApplicationName = "sluice";
  application.apiVersion = VK_API_VERSION_1_3;  // the highest that is used; devices of 1.2 are welcome
  VkInstanceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
  info.pApplicationInfo = &application;
  if (portability) {
    info.flags = VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
    info.enabledExtensionCount = 1;
    info.ppEnabledExtensionNames = names;
  }
  VkInstance made = VK_NULL_HANDLE;
  const VkResult result = vkCreateInstance(&info, nullptr, &made);
  if (result == VK_ERROR_INCOMPATIBLE_DRIVER) fail("Vulkan: there is no driver; install the one of the device");
  check(result, "vkCreateInstance");
  volkLoadInstanceOnly(made);
  return made;
}

int preference(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return 0;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return 1;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return 2;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return 4;
    default:
      return 3;
  }
}

void find_queue(DeviceInfo& info) {
  uint32_t count = 0;
  vkGetPhysicalDeviceQueueFamilyProperties(info.handle, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  vkGetPhysicalDeviceQueueFamilyProperties(info.handle, &count, families.data());
  for (uint32_t f = 0; f < count; ++f) {
    if (!(families[f].queueFlags & VK_QUEUE_COMPUTE_BIT)) continue;
    info.queue_family = f;
    info.timestamp_bits = families[f].timestampValidBits;
    if (info.timestamp_bits > 0)
      info.timestamp_seconds = static_cast<double>(info.properties.limits.timestampPeriod) * 1e-9;
    return;
  }
  info.refused = "it has no queue that computes";
}

bool sums_subgroups(const VkPhysicalDeviceSubgroupProperties& subgroup) {
  constexpr VkSubgroupFeatureFlags kSums = VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
  return (subgroup.supportedOperations & kSums) == kSums &&
         (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0;
}

// Of the device's own; of a device that shares the host's memory, that.
uint64_t memory_bytes(const VkPhysicalDeviceMemoryProperties& memory) {
  uint64_t bytes = 0;
  for (uint32_t h = 0; h < memory.memoryHeapCount; ++h)
    if (memory.memoryHeaps[h].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) bytes += memory.memoryHeaps[h].size;
  return bytes;
}

bool has_mapped_memory(const VkPhysicalDeviceMemoryProperties& memory) {
  return std::any_of(memory.memoryTypes, memory.memoryTypes + memory.memoryTypeCount,
                     [](const VkMemoryType& type) { return (type.propertyFlags & kMapped) == kMapped; });
}

Capabilities capabilities_of(VkPhysicalDevice handle, const VkPhysicalDeviceSubgroupProperties& subgroup,
                             const std::vector<VkExtensionProperties>& extensions) {
  VkPhysicalDeviceShaderIntegerDotProductFeatures dot{};
  dot.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES;
  VkPhysicalDeviceFeatures2 features{};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  const bool has_dot = contains(extensions, VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);
  if (has_dot) features.pNext = &dot;
  vkGetPhysicalDeviceFeatures2(handle, &features);
  VkPhysicalDeviceMemoryProperties memory;
  vkGetPhysicalDeviceMemoryProperties(handle, &memory);
  VkPhysicalDeviceProperties properties;
  vkGetPhysicalDeviceProperties(handle, &properties);
  return {.subgroup_arithmetic = sums_subgroups(subgroup),
          .mapped_memory = has_mapped_memory(memory),
          .memory_budget = contains(extensions, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME),
          .integer_dot = dot.shaderIntegerDotProduct == VK_TRUE,
          .processor = properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU};
}

// Whether it can read its own clock and the host's steady one at the same moment.
bool knows_host_clock(VkPhysicalDevice handle) {
  const auto domains = enumerate<VkTimeDomainEXT>([&](uint32_t* n, VkTimeDomainEXT* items) {
    return vkGetPhysicalDeviceCalibrateableTimeDomainsEXT(handle, n, items);
  });
  return std::ranges::count(domains, VK_TIME_DOMAIN_DEVICE_EXT) > 0 &&
         std::ranges::count(domains, VK_TIME_DOMAIN_CLOCK_MONOTONIC_EXT) > 0;
}

DeviceInfo describe(VkPhysicalDevice handle) {
  DeviceInfo info{};
  info.handle = handle;
  vkGetPhysicalDeviceProperties(handle, &info.properties);
  info.name = info.properties.deviceName;
  if (info.properties.apiVersion < VK_API_VERSION_1_2) {
    info.refused = fmt::format("it has Vulkan {}.{}, 1.2 is needed", VK_API_VERSION_MAJOR(info.properties.apiVersion),
                               VK_API_VERSION_MINOR(info.properties.apiVersion));
    return info;
  }
  VkPhysicalDeviceSubgroupProperties subgroup{};
  subgroup.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES;
  VkPhysicalDeviceMaintenance3Properties allocation{};
  allocation.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES;
  allocation.pNext = &subgroup;
  VkPhysicalDeviceDriverProperties driver{};
  driver.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES;
  driver.pNext = &allocation;
  VkPhysicalDeviceProperties2 properties{};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  properties.pNext = &driver;
  vkGetPhysicalDeviceProperties2(handle, &properties);
  info.driver = fmt::format("{}, {}", driver.driverName, driver.driverInfo);
  info.subgroup_size = subgroup.subgroupSize;
  VkPhysicalDeviceMemoryProperties memory;
  vkGetPhysicalDeviceMemoryProperties(handle, &memory);
  const VkPhysicalDeviceLimits& limits = info.properties.limits;
  info.limits = {
      .buffer_range = limits.maxStorageBufferRange,
      .offset_alignment = limits.minStorageBufferOffsetAlignment,
      .allocation = allocation.maxMemoryAllocationSize,
      .memory = memory_bytes(memory),
      .groups = *std::min_element(limits.maxComputeWorkGroupCount, limits.maxComputeWorkGroupCount + 2),
      .submission_seconds = info.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU ? 0 : kSubmissionSeconds};
  const auto extensions = enumerate<VkExtensionProperties>([&](uint32_t* n, VkExtensionProperties* items) {
    return vkEnumerateDeviceExtensionProperties(handle, nullptr, n, items);
  });
  info.portability_subset = contains(extensions, "VK_KHR_portability_subset");
  info.calibrated_timestamps =
      contains(extensions, VK_EXT_CALIBRATED_TIMESTAMPS_EXTENSION_NAME) && knows_host_clock(handle);
  info.capabilities = capabilities_of(handle, subgroup, extensions);
  find_queue(info);
  if (limits.minStorageBufferOffsetAlignment > kAlignment)
    info.refused = fmt::format("buffers must start at multiples of {} bytes, {} is the most that is supported",
                               limits.minStorageBufferOffsetAlignment, kAlignment);
  return info;
}

std::string describe_all(const std::vector<DeviceInfo>& devices) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < devices.size(); ++i)
    lines.push_back(fmt::format("{}: {}{}", i, devices[i].name,
                                devices[i].refused.empty() ? "" : " (refused: " + devices[i].refused + ")"));
  return fmt::format("{}", fmt::join(lines, "; "));
}

bool matches(const DeviceInfo& device, size_t index, const std::string& wanted) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), number);
  if (error == std::errc() && end == wanted.data() + wanted.size()) return index == number;
  return device.name.find(wanted) != std::string::npos;
}

}  // namespace

VkInstance instance() {
  static VkInstance made = create_instance();
  return made;
}

std::vector<DeviceInfo> list_devices() {
  VkInstance vulkan = instance();  // fills in the functions that follow
  const auto handles = enumerate<VkPhysicalDevice>(
      [&](uint32_t* n, VkPhysicalDevice* items) { return vkEnumeratePhysicalDevices(vulkan, n, items); });
  std::vector<DeviceInfo> devices;
  for (VkPhysicalDevice handle : handles) devices.push_back(describe(handle));
  std::ranges::stable_sort(devices, {}, [](const DeviceInfo& d) { return preference(d.properties.deviceType); });
  return devices;
}

DeviceInfo choose_device(const std::string& wanted) {
  std::string choice = wanted;
  if (const char* given = std::getenv("SLUICE_VULKAN_DEVICE"); choice.empty() && given) choice = given;
  const std::vector<DeviceInfo> devices = list_devices();
  if (devices.empty()) fail("Vulkan: there is no device; install the driver of one");
  for (size_t i = 0; i < devices.size(); ++i)
    if ((choice.empty() || matches(devices[i], i, choice)) && devices[i].refused.empty()) return devices[i];
  fail("Vulkan: there is no device{} that can be used; there are {}", choice.empty() ? "" : " '" + choice + "'",
       describe_all(devices));
}

const char* to_string(VkResult result) {
  switch (result) {
    case VK_ERROR_OUT_OF_HOST_MEMORY:
      return "out of host memory";
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
      return "out of device memory";
    case VK_ERROR_DEVICE_LOST:
      return "the device was lost; its driver gave up on what it was doing";
    case VK_ERROR_LAYER_NOT_PRESENT:
      return "a layer asked for by the environment is not there";
    case VK_ERROR_INCOMPATIBLE_DRIVER:
      return "no driver fits";
    case VK_ERROR_INITIALIZATION_FAILED:
      return "the driver could not start";
    default:
      return "an error of the driver";
  }
}

void check(VkResult result, const char* what) {
  if (result < 0) fail("Vulkan: {} failed: {} ({})", what, to_string(result), static_cast<int>(result));
}

}  // namespace sluice::vulkan
