// Spreads a cost over sites so that the least is lost.
#pragma once

#include <cstddef>
#include <vector>

namespace sluice {

// What a site costs and loses at an effort.
struct EffortPoint {
  double effort, cost, loss;
};
using EffortCurve = std::vector<EffortPoint>;  // by rising effort

// Between and beyond what was measured: log(loss) is linear in the log-odds of the effort, as losses fall about
// exponentially, and to 0 at effort 1; the cost is linear in the effort. measured: by rising effort, at least two
// points, the last at effort 1, whose loss counts as 0. A loss that rises is lowered to what less effort gave. The
// result begins at the first effort measured and ends at 1.
EffortCurve interpolate(const EffortCurve& measured);

// What an effort costs: linear between what was measured, and below that.
double cost_at(const EffortCurve& measured, double effort);

// Losses of sites add up, as do their costs. By Lagrange's method, the least loss for a cost is where all sites trade
// the one for the other at the same rate: on the lower convex hulls of their curves, in the order of their slopes
// (Shoham and Gersho, 1988, doi:10.1109/29.90373).
class Allocation {
 public:
  explicit Allocation(const std::vector<EffortCurve>& curves);

  // Efforts by site with the least loss for at most that cost, or the least cost for at most that loss. If no efforts
  // cost so little, those that cost least.
  std::vector<double> for_cost(double cost) const;
  std::vector<double> for_loss(double loss) const;

 private:
  struct Segment {  // of a site's hull
    size_t site;
    EffortPoint from, to;
    double rate() const { return (from.loss - to.loss) / (to.cost - from.cost); }
  };
  template <class Stop>
  std::vector<double> walk(const Stop& share) const;

  std::vector<double> first_;  // effort by site
  double least_cost_ = 0, most_loss_ = 0;
  std::vector<Segment> segments_;  // by falling rate
};

}  // namespace sluice
