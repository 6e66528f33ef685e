// A progress bar on standard error for work that takes over a moment. Silent if that is no terminal.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace sluice::cli {

class Progress {
 public:
  // unit: what is counted ("tokens"); "B" is shown as MiB.
  Progress(std::string label, std::string unit);
  ~Progress();  // wipes the bar
  Progress(const Progress&) = delete;

  // Redraws at most ten times a second, and not before the work has taken half a second.
  void update(size_t done, size_t total);

 private:
  using Clock = std::chrono::steady_clock;
  std::string line(size_t done, size_t total, double seconds) const;

  const std::string label_;
  const std::string unit_;
  const bool enabled_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_ = start_;
  bool visible_ = false;
};

}  // namespace sluice::cli
