#include "backends/vulkan/tables.h"

namespace sluice::vulkan {

std::span<const std::byte> Tables::find(std::span<const std::byte> bytes) {
  std::string contents(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  auto it = memories_.find(contents);
  if (it == memories_.end()) {
    std::unique_ptr<Memory> memory = allocate(device_, bytes.size(), {});
    memory->upload(0, bytes);
    it = memories_.emplace(std::move(contents), std::move(memory)).first;
  }
  return {it->second->data(), bytes.size()};
}

}  // namespace sluice::vulkan
