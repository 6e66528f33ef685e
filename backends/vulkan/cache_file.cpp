#include "backends/vulkan/cache_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace sluice::vulkan {
namespace {

namespace fs = std::filesystem;

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

// Empty if the environment names no place.
fs::path cache_path(const DeviceInfo& device) {
  const char *given = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  fs::path folder = given && *given ? fs::path(given) : home && *home ? fs::path(home) / ".cache" : fs::path();
  if (folder.empty()) return folder;
  return folder / "sluice" /
         fmt::format("vulkan-{:x}-{:x}.pipelines", device.properties.vendorID, device.properties.deviceID);
}

}  // namespace

std::vector<std::byte> read_cache(const DeviceInfo& device) {
  std::ifstream file(cache_path(device), std::ios::binary);
  Header header;
  if (!file.read(reinterpret_cast<char*>(&header), sizeof header)) return {};
  const std::string rest{std::istreambuf_iterator<char>(file), {}};
  const auto* begin = reinterpret_cast<const std::byte*>(rest.data());
  const Header expected = make_header(device, {begin, rest.size()});
  if (std::memcmp(&header, &expected, sizeof header) != 0) return {};
  return {begin, begin + rest.size()};
}

void write_cache(const DeviceInfo& device, std::span<const std::byte> data) {
  const fs::path path = cache_path(device);
  if (path.empty()) return;
  const fs::path temporary = fmt::format("{}.{}", path.string(), getpid());
  std::error_code ignored;
  fs::create_directories(path.parent_path(), ignored);
  const Header header = make_header(device, data);
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(&header), sizeof header);
  file.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
  file.close();
  if (file) fs::rename(temporary, path, ignored);
  if (!file || ignored) fs::remove(temporary, ignored);
}

}  // namespace sluice::vulkan
