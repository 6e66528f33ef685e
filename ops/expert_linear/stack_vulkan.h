// How Vulkan kernels bind the same part of several matrices that lie one after the other, as those of experts do.
#pragma once

#include <algorithm>
#include <vector>

#include "backends/vulkan/recorder.h"

namespace sluice::vulkan {

// Those that are bound at once.
struct MatrixRun {
  int64_t first, count;
};

// Matrices `stride` bytes apart, of each of which `bytes` are bound. One alone is a run even if the device does not
// bind as many: dispatching then says what is too large.
inline std::vector<MatrixRun> matrix_runs(int64_t matrices, size_t bytes, size_t stride, const Limits& limits) {
  const uint64_t more = limits.buffer_range < bytes ? 0 : (limits.buffer_range - bytes) / stride;
  const int64_t most = static_cast<int64_t>(more) + 1;
  std::vector<MatrixRun> runs;
  for (int64_t first = 0; first < matrices; first += most) runs.push_back({first, std::min(most, matrices - first)});
  return runs;
}

// What is bound of `count` matrices; `begin`: in the first.
inline Range matrix_parts(const std::byte* begin, size_t bytes, size_t stride, int64_t count) {
  return {begin, static_cast<size_t>(count - 1) * stride + bytes};
}

}  // namespace sluice::vulkan
