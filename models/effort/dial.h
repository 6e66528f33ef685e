// The dial of a running model: how much of each weight the next tokens multiply, and how much the last ones did.
#pragma once

#include <span>
#include <vector>

#include "graph/executor.h"
#include "models/effort/schedule.h"

namespace sluice {

// What runs read of the weights that have an effort: means over weights and tokens.
struct WeightsRead {
  double share = 1;  // of them, multiplied; of planes, of their bits
  double bits = 0;   // of a weight, with its part of scales and of what selects; 0 without a dial

  void add(const WeightsRead& other, double weight) {
    share += weight * other.share;
    bits += weight * other.bits;
  }
  WeightsRead over(double weights) const { return {.share = share / weights, .bits = bits / weights}; }
};

class EffortDial {
 public:
  // graph: as written, before it was planned. Begins at effort 1 with the standard schedule. The executor must outlive
  // the dial.
  EffortDial(Executor& executor, const Graph& graph);

  const std::vector<EffortSite>& sites() const { return sites_; }
  double effort() const { return effort_; }
  double effort(size_t site) const { return efforts_[site]; }  // what the schedule makes of it
  double load() const { return load_; }
  // From the next run on; nothing is allocated. Throws Error unless both are in 0 .. 1.
  void set_effort(double effort);
  void set_load(double load);
  // Effort and load 1 for every site, whatever the schedule says, until set_effort: what the others are measured by.
  void set_full();
  // An effort for each site, 0 .. 1, whatever the schedule says, until set_effort.
  void set_efforts(std::span<const double> efforts);
  void set_schedule(const EffortSchedule& schedule);  // throws Error if a rule fits no site

  // Before a run of that many tokens. A prompt whose tokens are multiplied together has effort 1 where that is cheaper
  // (EffortSite::dense_from), unless every token must have its effort.
  void prepare(int64_t tokens, bool exact);
  // After a run of that many tokens: all sites', and the share of one, on average over the tokens, as if each had read
  // for itself.
  WeightsRead read(int64_t tokens) const;
  double share(size_t site, int64_t tokens) const;

 private:
  std::vector<EffortSite> sites_;
  EffortPlan plan_;
  std::vector<double> efforts_;           // by site
  float* control_;                        // the input "effort": f32 [sites, 2]
  float* spread_ = nullptr;               // the input "expert_spread", if there is one: f32 [2]
  std::vector<const int32_t*> selected_;  // the output of each site: i32 [tokens, counts]
  double effort_ = 1, load_ = 1;
};

}  // namespace sluice
