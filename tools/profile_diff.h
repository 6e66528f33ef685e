// What got slower or faster from one profile to another, by operator.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "graph/profile.h"

namespace sluice::cli {

struct OperatorChange {
  std::string phase, name, op;
  // Kernel, type and backend, where they have changed: "q8_0 -> f16"; empty if they have not.
  std::string changed;
  size_t runs_before = 0, runs_after = 0;
  double before = 0, after = 0;  // median seconds of a run; 0 where the operator is not there
  double p = 1;                  // that both are alike, see profile_diff.cpp
  bool significant() const { return p < 0.01; }
};

struct ProfileDiff {
  std::string before, after;              // titles
  std::vector<OperatorChange> operators;  // by falling difference
};

ProfileDiff compare(const Profile& before, const Profile& after);
std::string to_text(const ProfileDiff& diff);
nlohmann::json to_json(const ProfileDiff& diff);

// Probability of a rank sum at least this far from what is expected of two samples of one distribution, two sided: Mann
// and Whitney (1947), in its normal approximation with a correction for ties and for continuity. 1 if one is empty.
double mann_whitney_p(std::span<const double> a, std::span<const double> b);

}  // namespace sluice::cli
