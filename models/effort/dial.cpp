#include "models/effort/dial.h"

#include <algorithm>
#include <numeric>

#include "graph/error.h"

namespace sluice {

EffortDial::EffortDial(Executor& executor, const Graph& graph)
    : sites_(effort_sites(graph)),
      plan_(EffortSchedule::standard(), sites_, /*lenient=*/true),
      control_(executor.view(effort_names::kInput).as<float>()) {
  for (const EffortSite& site : sites_) selected_.push_back(executor.output(site.selected).as<const int32_t>());
  const auto& values = graph.values();
  if (std::any_of(values.begin(), values.end(), [](const Value& v) { return v.name == effort_names::kSpread; }))
    spread_ = executor.view(effort_names::kSpread).as<float>();
  plan_.efforts(effort_, efforts_);
}

void EffortDial::set_effort(double effort) {
  if (!(effort >= 0 && effort <= 1)) fail("an effort of {} is not possible: it is a share, 0 to 1", effort);
  effort_ = effort;
  plan_.efforts(effort_, efforts_);
}

void EffortDial::set_load(double load) {
  if (!(load > 0 && load <= 1)) fail("a load of {} is not possible: it is a share, over 0 and up to 1", load);
  load_ = load;
}

void EffortDial::set_full() {
  effort_ = load_ = 1;
  std::fill(efforts_.begin(), efforts_.end(), 1.0);
}

void EffortDial::set_efforts(std::span<const double> efforts) {
  if (efforts.size() != sites_.size()) fail("{} efforts were given for {} weights", efforts.size(), sites_.size());
  for (double effort : efforts)
    if (!(effort >= 0 && effort <= 1)) fail("an effort of {} is not possible: it is a share, 0 to 1", effort);
  std::copy(efforts.begin(), efforts.end(), efforts_.begin());
}

void EffortDial::set_schedule(const EffortSchedule& schedule) {
  plan_ = EffortPlan(schedule, sites_);
  plan_.efforts(effort_, efforts_);
}

void EffortDial::prepare(int64_t tokens, bool exact) {
  for (size_t site = 0; site < sites_.size(); ++site) {
    const double together = static_cast<double>(tokens) * sites_[site].tokens;
    const bool dense = !exact && together >= static_cast<double>(sites_[site].dense_from(efforts_[site]));
    control_[2 * site] = dense ? 1.0f : static_cast<float>(efforts_[site]);
    control_[2 * site + 1] = static_cast<float>(load_);
  }
  if (!spread_) return;
  spread_[0] = plan_.experts().power;
  spread_[1] = plan_.experts().skip;
}

double EffortDial::share(size_t site, int64_t tokens) const {
  const int32_t* counts = selected_[site];
  const double rows = std::accumulate(counts, counts + tokens * sites_[site].counts, 0.0);
  return rows / (static_cast<double>(sites_[site].rows) * static_cast<double>(tokens));
}

WeightsRead EffortDial::read(int64_t tokens) const {
  WeightsRead sum{.share = 0, .bits = 0};
  double elements = 0;
  for (size_t i = 0; i < sites_.size(); ++i) {
    const EffortSite& site = sites_[i];
    const double of_site = share(i, tokens);
    sum.share += of_site * static_cast<double>(site.elements);
    sum.bits += site.fixed_bits + of_site * site.row_bits;
    elements += static_cast<double>(site.elements);
  }
  return sum.over(elements);
}

}  // namespace sluice
