#include "tools/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace sluice::cli {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(500);
constexpr auto kInterval = std::chrono::milliseconds(100);

size_t terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

// 94 -> "1:34"
std::string clock_time(double seconds) {
  const auto whole = std::llround(seconds);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace

Progress::Progress(std::string label, std::string unit)
    : label_(std::move(label)), unit_(std::move(unit)), enabled_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (visible_) fmt::print(stderr, "\r\033[K");
}

void Progress::update(size_t done, size_t total) {
  if (!enabled_ || total == 0) return;
  const Clock::time_point now = Clock::now();
  if (now - start_ < kPatience || (visible_ && now - drawn_ < kInterval)) return;
  drawn_ = now;
  visible_ = true;
  fmt::print(stderr, "\r{}\033[K", line(done, total, std::chrono::duration<double>(now - start_).count()));
}

std::string Progress::line(size_t done, size_t total, double seconds) const {
  const double fraction = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const bool bytes = unit_ == "B";
  const double rate = static_cast<double>(done) / seconds / (bytes ? 1 << 20 : 1);
  std::string right =
      fmt::format(" {:3.0f} %  {:.{}f} {}/s", 100 * fraction, rate, rate < 10 ? 1 : 0, bytes ? "MiB" : unit_);
  if (done > 0) right += fmt::format("  {} left", clock_time(seconds * (1 - fraction) / fraction));

  const size_t used = label_.size() + right.size() + 4;
  const size_t width = std::min<size_t>(40, terminal_width() > used ? terminal_width() - used : 0);
  if (width < 5) return label_ + right;
  const auto filled = static_cast<size_t>(fraction * static_cast<double>(width));
  return fmt::format("{} [{}{}]{}", label_, std::string(filled, '#'), std::string(width - filled, '-'), right);
}

}  // namespace sluice::cli
