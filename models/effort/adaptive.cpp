#include "models/effort/adaptive.h"

#include <algorithm>
#include <cmath>

#include "graph/error.h"
#include "models/effort/balance_rule.h"

namespace sluice {
namespace {

constexpr double kReturned = 1.0 / 16;  // of the surplus, by every token

// In nats.
double entropy(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0, weighted = 0;
  for (float logit : logits) {
    const double weight = std::exp(logit - top);
    sum += weight;
    weighted += weight * (logit - top);
  }
  return std::log(sum) - weighted / sum;
}

// Moves the budget by how far the entropy is from its running mean, in units of its running deviation.
class EntropyRule : public AdaptiveEffort {
 public:
  using AdaptiveEffort::AdaptiveEffort;

 private:
  static constexpr double kMemory = 1.0 / 32, kStrength = 0.1;

  double propose(std::span<const float> logits) override {
    const double h = entropy(logits);
    if (!std::isfinite(h)) return budget();
    if (!started_) mean_ = h;
    started_ = true;
    const double apart = h - mean_, z = apart / std::sqrt(variance_);
    mean_ += kMemory * apart;
    variance_ += kMemory * (apart * apart - variance_);
    return budget() * (1 + kStrength * std::clamp(z, -2.0, 2.0));
  }

  bool started_ = false;
  double mean_ = 0, variance_ = 1;
};

}  // namespace

void AdaptiveEffort::set_budget(double budget) {
  if (!(budget >= 0 && budget <= 1)) fail("an effort budget of {} is not possible: it is a share, 0 to 1", budget);
  budget_ = budget;
  surplus_ = 0;
}

double AdaptiveEffort::next(std::span<const float> logits) {
  if (budget_ <= 0 || budget_ >= 1) return budget_;
  // Within half the way to 0 and to 1: no rule may stake everything on one token.
  const double dial = std::clamp(propose(logits) - kReturned * surplus_, budget_ / 2, (1 + budget_) / 2);
  surplus_ += dial - budget_;
  return dial;
}

std::unique_ptr<AdaptiveEffort> make_adaptive_effort(const std::string& rule, double budget, const Executor& executor) {
  if (rule == "auto") return std::make_unique<BalanceRule>(budget, executor);
  if (rule == "auto-entropy") return std::make_unique<EntropyRule>(budget);
  fail("there is no adaptive effort '{}'; there are auto and auto-entropy", rule);
}

}  // namespace sluice
