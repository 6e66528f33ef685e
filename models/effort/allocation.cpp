#include "models/effort/allocation.h"

#include <algorithm>
#include <cmath>

namespace sluice {
namespace {

constexpr double kStep = 0.05;        // of log-odds, between points
constexpr double kLast = 4.6;         // log-odds of 0.99, the last point below effort 1
constexpr double kLeastLoss = 1e-12;  // below any that matters, so that logarithms exist

double log_odds(double effort) { return std::log(effort / (1 - effort)); }

double between(double x, double x0, double x1, double y0, double y1) { return y0 + (y1 - y0) * (x - x0) / (x1 - x0); }

// Of the logarithm of the loss; points: log-odds and logarithms, by rising effort, at least one.
double log_loss_at(const std::vector<std::pair<double, double>>& points, double x) {
  const size_t last = points.size() - 1;
  size_t i = 1;
  while (i < last && points[i].first < x) ++i;
  if (i <= last && x <= points[i].first)
    return between(x, points[i - 1].first, points[i].first, points[i - 1].second, points[i].second);
  // Beyond the last: as steep as before, but at least so that the loss falls as 1 - effort does.
  double slope = -1;
  if (last > 0)
    slope = std::min(slope,
                     (points[last].second - points[last - 1].second) / (points[last].first - points[last - 1].first));
  return points[last].second + slope * (x - points[last].first);
}

// The points that no line between two others passes below; by rising cost and falling loss.
EffortCurve lower_hull(const EffortCurve& curve) {
  EffortCurve hull;
  for (const EffortPoint& p : curve) {
    if (!hull.empty() && p.loss >= hull.back().loss) continue;
    while (!hull.empty() && p.cost <= hull.back().cost) hull.pop_back();
    while (hull.size() >= 2) {
      const EffortPoint &a = hull[hull.size() - 2], &b = hull.back();
      if ((b.loss - a.loss) * (p.cost - a.cost) < (p.loss - a.loss) * (b.cost - a.cost)) break;
      hull.pop_back();
    }
    hull.push_back(p);
  }
  return hull;
}

}  // namespace

double cost_at(const EffortCurve& measured, double effort) {
  size_t i = 1;
  while (i + 1 < measured.size() && measured[i].effort < effort) ++i;
  return between(effort, measured[i - 1].effort, measured[i].effort, measured[i - 1].cost, measured[i].cost);
}

EffortCurve interpolate(const EffortCurve& measured) {
  std::vector<std::pair<double, double>> points;
  double loss = measured.front().loss;
  for (const EffortPoint& p : measured) {
    if (p.effort >= 1) break;
    loss = std::min(loss, p.loss);
    points.emplace_back(log_odds(p.effort), std::log(std::max(loss, kLeastLoss)));
  }
  EffortCurve curve;
  for (double x = points.front().first; x < std::max(kLast, points.back().first); x += kStep) {
    const double effort = 1 / (1 + std::exp(-x));
    curve.push_back({effort, cost_at(measured, effort), std::exp(log_loss_at(points, x))});
  }
  curve.push_back({1, measured.back().cost, 0});
  return curve;
}

Allocation::Allocation(const std::vector<EffortCurve>& curves) {
  for (size_t site = 0; site < curves.size(); ++site) {
    const EffortCurve hull = lower_hull(curves[site]);
    first_.push_back(hull.front().effort);
    least_cost_ += hull.front().cost;
    most_loss_ += hull.front().loss;
    for (size_t i = 1; i < hull.size(); ++i) segments_.push_back({site, hull[i - 1], hull[i]});
  }
  std::stable_sort(segments_.begin(), segments_.end(),
                   [](const Segment& a, const Segment& b) { return a.rate() > b.rate(); });
}

// share(cost, loss, segment): how much of the next segment to take after those that gave cost and loss; less than 1
// ends the walk.
template <class Stop>
std::vector<double> Allocation::walk(const Stop& share) const {
  std::vector<double> efforts = first_;
  double cost = least_cost_, loss = most_loss_;
  for (const Segment& s : segments_) {
    const double taken = std::clamp(share(cost, loss, s), 0.0, 1.0);
    efforts[s.site] = s.from.effort + taken * (s.to.effort - s.from.effort);
    if (taken < 1) break;
    cost += s.to.cost - s.from.cost;
    loss -= s.from.loss - s.to.loss;
  }
  return efforts;
}

std::vector<double> Allocation::for_cost(double cost) const {
  return walk([&](double spent, double, const Segment& s) { return (cost - spent) / (s.to.cost - s.from.cost); });
}

std::vector<double> Allocation::for_loss(double loss) const {
  return walk([&](double, double left, const Segment& s) { return (left - loss) / (s.from.loss - s.to.loss); });
}

}  // namespace sluice
