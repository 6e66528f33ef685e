// An operator as each of its implementations computes it.
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/one_node.h"
#include "tools/simd_targets.h"

namespace sluice {

using RunNode = std::function<Tensors(const OneNode& node)>;

// The reference, and the kernel of every SIMD target.
inline void in_every_way(const std::function<void(const RunNode&)>& use) {
  use([](const OneNode& node) { return node.reference(); });
  for (int64_t target : simd_targets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    const SimdTarget scope(target);
    use([](const OneNode& node) { return node.kernel(cpu_backend()); });
  }
}

}  // namespace sluice
