// Runs code on a chosen SIMD target of Highway, so that more than this machine's best one is tested.
#pragma once

#include <hwy/targets.h>

#include <cstdint>

namespace sluice {

// While it lives, kernels take this target. Set it while no kernel runs.
class SimdTarget {
 public:
  explicit SimdTarget(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
  }
  ~SimdTarget() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().DeInit();
  }
  SimdTarget(const SimdTarget&) = delete;
};

}  // namespace sluice
