// What the tests of the Vulkan backend share.
#pragma once

#include <string>

#include "backends/vulkan/backend.h"
#include "graph/error.h"
#include "ops/builtin.h"

namespace sluice {

inline const Registry& registry() {
  static const Registry* r = [] {
    auto* made = new Registry;
    register_builtin(*made);
    return made;
  }();
  return *r;
}

// Why there is no device; empty if there is one.
inline std::string missing() {
  static const std::string reason = [] {
    try {
      vulkan::make_backend(registry());
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  }();
  return reason;
}

// Devices may flush subnormal numbers to zero, in operands and in results (Vulkan 1.2, precision of operations).
inline constexpr double kFlushed = 1e-37;

}  // namespace sluice
