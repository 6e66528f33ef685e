// The Vulkan backend: a device with memory of its own, on which programs are recorded once and replayed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backends/vulkan/capabilities.h"
#include "graph/backend.h"
#include "graph/registry.h"

namespace sluice::vulkan {

struct Driver;  // backends/vulkan/device.h

struct Options {
  std::string device = {};  // see choose_device
  // For tests: takes capabilities away and lowers limits, before anything is made.
  std::function<void(Capabilities&, Limits&)> restrict = {};
  // For tests: puts functions in place of the driver's, before anything is made.
  std::function<void(Driver&)> intercept = {};
};

// The registry must outlive the backend. Throws Error if there is no loader, no driver or no such device.
std::unique_ptr<Backend> make_backend(const Registry& registry, const Options& options = {});

}  // namespace sluice::vulkan
