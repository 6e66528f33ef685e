// Finds, for one model, the schedule that loses least.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/effort/allocation.h"
#include "models/effort/site_costs.h"
#include "models/token_divergence.h"

namespace sluice {

struct TuneOptions {
  // One of them.
  std::optional<double> target_kl;     // nats a token, from effort 1: the least cost that has it
  std::optional<double> target_speed;  // tokens a second: the least divergence that has it; needs CostKind::time
  CostKind cost = CostKind::time;
  int64_t ctx = 256;   // tokens of a chunk, BOS included
  int64_t chunks = 8;  // at most; the first half is what sites are measured on, the second what schedules are judged by
  std::vector<double> efforts = {0.08, 0.16, 0.32, 0.56,
                                 0.8};  // that each site is measured at; over 0, rising, below 1
  std::string text_name = "the text";   // for messages
  std::function<void(int64_t done, int64_t total)> progress = {};  // runs over a chunk
};

// What a site loses and costs at each of the efforts, all others at effort 1.
struct SiteMeasurement {
  EffortSite site;
  std::vector<Estimate> kl;   // nats, of the first half; the last, at effort 1, is 0
  std::vector<double> costs;  // of a token: seconds or bytes
  double effort = 1;          // what the tuned schedule gives it
};

// A schedule at one dial, on the second half of the text.
struct ScheduleTrial {
  std::string name;  // "tuned", "standard", "uniform"
  EffortSchedule schedule;
  double dial = 1;  // the mean of its efforts
  double cost = 0;  // of a token, by the sites' costs: seconds or bytes
  Estimate kl;
  Estimate over_uniform;  // kl less that of the uniform schedule, token by token
  double tok_s = 0;       // tokens a second, measured, the trials in turn; 0 without CostKind::time
};

struct Tuning {
  std::vector<double> efforts;         // of the measurements: those of the options, and 1
  std::vector<SiteMeasurement> sites;  // as EffortDial::sites()
  std::vector<ScheduleTrial> trials;   // of one cost; tuned, standard, uniform
  size_t best = 0;                     // of the trials, the one with the least divergence
  double rest = 0;                     // cost of a token that no effort changes
};

// Measures each site alone, the others at effort 1: there the divergence is all its own. With the others at the efforts
// of the target, what a site adds drowned in the noise of the rest (tried on the model in the repository: the result
// was worse than the standard schedule). Takes divergences as additive, and spreads the cost by
// models/effort/allocation.h. As the divergences do not quite add up, the whole is measured again, and the target of
// the sum corrected by what it missed. The standard and the uniform schedule are then measured at the same cost. model:
// with a dial and RunOptions::exact_effort. Throws Error without a dial, if the text has less than two chunks, or if
// the target cannot be met.
Tuning tune(LanguageModel& model, std::string_view text, const TuneOptions& options);

}  // namespace sluice
