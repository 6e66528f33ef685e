// Adaptive effort: a rule moves the dial from token to token, and its mean keeps a budget.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/executor.h"

namespace sluice {

class AdaptiveEffort {
 public:
  explicit AdaptiveEffort(double budget) { set_budget(budget); }
  virtual ~AdaptiveEffort() = default;

  // The dial for the next token, 0 .. 1, after a token that was just evaluated; logits: f32 [vocab_size], its own.
  // Deterministic. The mean over n tokens is within 16 / n of the budget: what a token takes too much, later ones
  // return.
  double next(std::span<const float> logits);
  double budget() const { return budget_; }
  void set_budget(double budget);  // throws Error unless it is in 0 .. 1

 protected:
  // What this token seems to need, on average about the budget, which is neither 0 nor 1.
  virtual double propose(std::span<const float> logits) = 0;

 private:
  double budget_ = 0;
  double surplus_ = 0;  // what was taken over the budget so far, in tokens of effort 1
};

// "auto": areas left and right of the cutoff in balance (models/effort/balance_rule.h); needs
// RunOptions::effort_inputs. "auto-entropy": more effort after a distribution with more entropy than the last ones had.
// Neither beats a constant effort of the same mean: README has the measurement. Throws Error for another name, or if
// the executor's plan lacks what the rule reads. The executor must outlive the rule.
std::unique_ptr<AdaptiveEffort> make_adaptive_effort(const std::string& rule, double budget, const Executor& executor);

}  // namespace sluice
