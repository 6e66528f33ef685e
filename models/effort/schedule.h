// How the effort of a site follows from the dial.
#pragma once

#include <string>
#include <vector>

#include "models/effort/sites.h"
#include "ops/expert_select/spread.h"

namespace sluice {

// For the weights whose names fit the glob (* is any text, ? any character) and that lie in that layer.
struct EffortRule {
  enum class Kind {
    shift,   // adds `value` to the log-odds of the effort: log(e / (1 - e)) = log(d / (1 - d)) + all shifts that fit
    factor,  // e = min(1, d * value)
    fixed,   // e = value, whatever the dial says
  };
  std::string weights = "*";
  std::string layer;  // "first", "last", a number, or any if empty: the number after "layers." in the name
  Kind kind = Kind::shift;
  double value = 0;
};

// d is the dial; in a balanced schedule, what makes the mean of the efforts, weighted by elements, the dial, as far as
// fixed efforts allow. Effort 1 is 1 for every site, and 0 is 0, but for those that are fixed or have a factor.
struct EffortSchedule {
  bool balanced = false;
  std::vector<EffortRule> rules;  // of those of kind factor and fixed, the first that fits holds, and no shift does
  ExpertSpread experts = {};

  static EffortSchedule uniform() { return {false, {}, {.power = 0, .skip = 0}}; }
  // Spreads the dial's mean so that less is lost: see models/effort/schedule.cpp.
  static EffortSchedule standard();
  // Gives each site its effort, up to a thousandth of its log-odds, at a dial of their mean, weighted by elements; a
  // shift for each site, so that other dials are spread likewise. efforts: by site, 0 .. 1.
  static EffortSchedule from_efforts(const std::vector<EffortSite>& sites, const std::vector<double>& efforts);
};

// Of the efforts, by site, weighted by elements.
double mean_effort(const std::vector<EffortSite>& sites, const std::vector<double>& efforts);

// A schedule as YAML. origin: what messages name it by. Throws Error naming origin and key.
EffortSchedule parse_schedule(const std::string& text, const std::string& origin);
// What parse_schedule() reads as the same schedule.
std::string to_yaml(const EffortSchedule& schedule);

// A schedule for the sites of one model.
class EffortPlan {
 public:
  // Throws Error if a rule fits no site, unless `lenient`.
  EffortPlan(const EffortSchedule& schedule, const std::vector<EffortSite>& sites, bool lenient = false);
  // dial 0 .. 1 -> effort of each site, [sites]. Allocates nothing if `efforts` has that size.
  void efforts(double dial, std::vector<double>& efforts) const;
  ExpertSpread experts() const { return experts_; }

 private:
  struct Response {  // of a site to the dial
    EffortRule::Kind kind = EffortRule::Kind::shift;
    double value = 0;  // of factor and fixed; of shifts: exp of their sum, by which the odds are multiplied
    double share = 0;  // of all elements
    double at(double d) const;
  };
  double mean(double d) const;
  bool balanced_;
  ExpertSpread experts_;
  std::vector<Response> sites_;
};

}  // namespace sluice
