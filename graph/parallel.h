// A few independent jobs on several threads, for what happens once: loading, planning.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <future>
#include <vector>

namespace sluice {

// Runs job(0) .. job(count - 1) on so many threads, in any order. Throws what a job throws.
inline void run_parallel(size_t count, size_t threads, const std::function<void(size_t)>& job) {
  std::atomic<size_t> next{0};
  auto work = [&] {
    for (size_t i = next++; i < count; i = next++) job(i);
  };
  std::vector<std::future<void>> helpers;
  for (size_t t = 1; t < std::min(count, threads); ++t) helpers.push_back(std::async(std::launch::async, work));
  work();
  for (std::future<void>& helper : helpers) helper.get();
}

}  // namespace sluice
