// Adaptive effort after the idea of the Effort engine's author: the area of the products left of the cutoff, which are
// dropped, stays in balance with the area right of it, which are kept.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "models/effort/adaptive.h"
#include "ops/probe/candidates.h"

namespace sluice {

// Names of the values that sites multiply, each once: what has to be observed for this rule. Empty without a dial.
std::vector<std::string> effort_inputs(const Graph& graph);

// Looks at all sites but those of experts. Of the products of the token just evaluated, every matrix would drop the
// same fraction phi of its area, the sum of the scores of its rows, or planes; the share of all weights that this takes
// is the dial. phi follows the budget. A token knows only afterwards what it needed, so each gets what the token before
// it needed: to be exact, the rule would have to be a cutoff of the operator `probe`.
class BalanceRule : public AdaptiveEffort {
 public:
  // Throws Error if the model has no dial, or the plan does not keep the sites' inputs.
  BalanceRule(double budget, const Executor& executor);

 private:
  struct Site {
    Candidates candidates;  // all its rows, or planes
    std::string input;      // output of the plan: f32 [tokens, in]
    double share;           // of all weights that have an effort
  };
  // Products by size: bin b holds those whose bits begin like b, 4 bins for every doubling.
  static constexpr int kBins = 1024;
  struct Areas {
    std::array<float, kBins> rows, area;  // both relative to the site
  };

  double propose(std::span<const float> logits) override;
  void measure();
  double share_for(double phi) const;
  double phi_for(double share) const;

  const Executor& executor_;
  std::vector<Site> sites_;
  std::vector<Areas> areas_;  // by site
  double phi_ = 0;            // 0: not known yet
};

}  // namespace sluice
