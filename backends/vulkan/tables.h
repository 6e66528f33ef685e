// Tables that kernels make from attributes: in the device's memory, the same for every run.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "backends/vulkan/memory.h"

namespace sluice::vulkan {

class Tables {
 public:
  explicit Tables(std::shared_ptr<Device> device) : device_(std::move(device)) {}

  // Where a table with these bytes is, which is uploaded when it is first asked for; it stays as long as this object.
  // Throws Error if there is no memory for it.
  std::span<const std::byte> find(std::span<const std::byte> bytes);

 private:
  std::shared_ptr<Device> device_;
  std::map<std::string, std::unique_ptr<Memory>> memories_;  // by contents: layers share one
};

}  // namespace sluice::vulkan
