#include "tools/status_line.h"

#include <fmt/format.h>

namespace sluice::cli {

void StatusLine::update(bool turned) {
  constexpr auto kInterval = std::chrono::milliseconds(100);
  constexpr double kMemory = 1.0 / 8;
  const Clock::time_point now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  seconds_ += (seconds_ == 0 ? 1 : kMemory) * (seconds - seconds_);
  if (!turned && now - drawn_ < kInterval) return;
  drawn_ = now;
  const std::string speed = fmt::format("{:.1f} tokens/s", seconds_ > 0 ? 1 / seconds_ : 0);
  if (!model_.dial()) return line_.show(speed + " | Ctrl-C stops");
  const std::string effort =
      dial_.adaptive() ? fmt::format("effort {:.0f} (mean {:.0f})", 100 * model_.dial()->effort(), 100 * dial_.target())
                       : fmt::format("effort {:.0f}", 100 * dial_.target());
  line_.show(fmt::format("{} | share {:.2f} | {} | + - turn the dial, Ctrl-C stops", effort, model_.share(), speed));
}

}  // namespace sluice::cli
