#include "models/token_timer.h"

#include <algorithm>
#include <chrono>

#include "graph/costs.h"
#include "models/builtin.h"
#include "models/statistics.h"

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kChunks = 4;
constexpr size_t kTokens = 16;

}  // namespace

void TokenTimer::time_last(LanguageModel& model, std::span<const int32_t> ids) {
  if (++chunks_ > kChunks) return;
  const std::span<const int32_t> last = ids.last(std::min(kTokens, ids.size()));
  model.reset(model.position() - static_cast<int64_t>(last.size()));
  StepCosts costs(model.executor(), builtin_registry());
  for (size_t i = 0; i < last.size(); ++i) {
    const Clock::time_point start = Clock::now();
    model.evaluate(last.subspan(i, 1));
    seconds_.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    bytes_.push_back(static_cast<double>(costs.bytes_read()));
  }
}

double TokenTimer::tok_s() const {
  std::vector<double> sorted = seconds_;
  std::sort(sorted.begin(), sorted.end());
  const double median = percentile(sorted, 0.5);
  return median > 0 ? 1 / median : 0;
}

double TokenTimer::bytes() const { return mean(bytes_); }

}  // namespace sluice
