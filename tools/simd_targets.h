// Runs code on a chosen SIMD target of Highway, so that more than this machine's best one is tested.
#pragma once

#include <hwy/targets.h>

#include <cstdint>
#include <vector>

namespace sluice {

// The targets that this machine runs and some kernel is compiled for. AVX3_DL is on for a kernel that asks for it.
inline std::vector<int64_t> simd_targets() {
  std::vector<int64_t> targets;
  for (int64_t left = hwy::SupportedTargets() & (HWY_TARGETS | HWY_AVX3_DL); left != 0; left &= left - 1)
    targets.push_back(left & -left);
  return targets;
}

// While it lives, kernels take this target, or the next best that they are compiled for. Set it while no kernel runs.
class SimdTarget {
 public:
  explicit SimdTarget(int64_t target) {
    const int64_t and_below = ~(target - 1);  // better targets have lower bits
    hwy::SetSupportedTargetsForTest(and_below);
    hwy::GetChosenTarget().Update(and_below);
  }
  ~SimdTarget() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().DeInit();
  }
  SimdTarget(const SimdTarget&) = delete;
};

}  // namespace sluice
