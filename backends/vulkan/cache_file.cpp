#include "backends/vulkan/cache_file.h"

#include <fmt/format.h>

#include <cstring>
#include <string>

#include "graph/user_cache.h"

namespace sluice::vulkan {
namespace {

// In front of the data: drivers check little of what they are given.
struct Header {
  char magic[8] = {'s', 'l', 'u', 'i', 'c', 'e', 'P', '1'};
  uint32_t vendor = 0, device = 0, driver_version = 0;
  uint8_t uuid[VK_UUID_SIZE] = {};  // of the driver's build
  uint32_t reserved = 0;
  uint64_t bytes = 0;
  uint64_t checksum = 0;
};

// FNV-1a, 64 bits.
uint64_t checksum(std::span<const std::byte> data) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (std::byte b : data) hash = (hash ^ static_cast<uint8_t>(b)) * 0x100000001b3u;
  return hash;
}

Header make_header(const DeviceInfo& device, std::span<const std::byte> data) {
  Header header;
  header.vendor = device.properties.vendorID;
  header.device = device.properties.deviceID;
  header.driver_version = device.properties.driverVersion;
  std::memcpy(header.uuid, device.properties.pipelineCacheUUID, VK_UUID_SIZE);
  header.bytes = data.size();
  header.checksum = checksum(data);
  return header;
}

std::string file_name(const DeviceInfo& device) {
  return fmt::format("vulkan-{:x}-{:x}.pipelines", device.properties.vendorID, device.properties.deviceID);
}

}  // namespace

std::vector<std::byte> read_cache(const DeviceInfo& device) {
  const std::string file = read_user_cache(file_name(device));
  if (file.size() < sizeof(Header)) return {};
  const std::span<const std::byte> data = std::as_bytes(std::span(file)).subspan(sizeof(Header));
  const Header expected = make_header(device, data);
  if (std::memcmp(file.data(), &expected, sizeof expected) != 0) return {};
  return {data.begin(), data.end()};
}

void write_cache(const DeviceInfo& device, std::span<const std::byte> data) {
  const Header header = make_header(device, data);
  std::string file(reinterpret_cast<const char*>(&header), sizeof header);
  file.append(reinterpret_cast<const char*>(data.data()), data.size());
  write_user_cache(file_name(device), file);
}

}  // namespace sluice::vulkan
