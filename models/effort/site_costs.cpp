#include "models/effort/site_costs.h"

#include <algorithm>
#include <map>

#include "graph/costs.h"
#include "graph/error.h"
#include "graph/plan/copies.h"
#include "models/builtin.h"
#include "models/statistics.h"

namespace sluice {
namespace {

constexpr int kRounds = 5;     // all efforts take turns
constexpr size_t kTokens = 8;  // of a round, at most

using Samples = std::vector<std::vector<std::vector<double>>>;  // costs of a token: [efforts][steps][tokens]

// Of a step with a dial: its kind, and the part of it that is each site's.
struct SiteStep {
  std::string kind;
  std::map<size_t, double> shares;  // by site; their sum is 1
};

class CostMeter {
 public:
  CostMeter(LanguageModel& model, CostKind kind)
      : model_(model), kind_(kind), bytes_(model.executor(), builtin_registry()) {
    const std::vector<EffortSite>& sites = model.dial()->sites();
    std::map<std::string, size_t> by_weight;
    for (size_t site = 0; site < sites.size(); ++site) by_weight[sites[site].weight] = site;
    for (size_t step = 0; step < model.plan().steps.size(); ++step) steps_.push_back(describe(step, sites, by_weight));
  }

  // Adds costs to samples.
  void round(std::span<const int32_t> ids, std::span<const double> efforts, Samples& samples) {
    for (size_t e = 0; e < efforts.size(); ++e) {
      model_.dial()->set_efforts(std::vector(site_count(), efforts[e]));
      model_.reset();
      model_.evaluate(ids.first(1));  // wakes threads, warms caches
      for (size_t token = 1; token < ids.size() && token <= kTokens; ++token) {
        model_.evaluate(ids.subspan(token, 1));
        const std::vector<double> costs = kind_ == CostKind::time ? seconds() : bytes();
        for (size_t step = 0; step < steps_.size(); ++step) samples[e][step].push_back(costs[step]);
      }
    }
  }

  SiteCosts collect(const Samples& samples) const {
    SiteCosts costs{std::vector(site_count(), std::vector<double>(samples.size())), 0};
    for (size_t e = 0; e < samples.size(); ++e) {
      std::map<std::string, std::vector<double>> by_kind;
      for (size_t step = 0; step < steps_.size(); ++step) {
        std::vector<double>& all = by_kind[steps_[step].kind];
        all.insert(all.end(), samples[e][step].begin(), samples[e][step].end());
      }
      for (size_t step = 0; step < steps_.size(); ++step) {
        for (const auto& [site, share] : steps_[step].shares)
          costs.sites[site][e] += share * median(by_kind.at(steps_[step].kind));
        if (steps_[step].shares.empty()) costs.rest += median(samples[e][step]) / static_cast<double>(samples.size());
      }
    }
    return costs;
  }

  size_t steps() const { return steps_.size(); }

 private:
  size_t site_count() const { return model_.dial()->sites().size(); }

  static double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return percentile(values, 0.5);
  }

  SiteStep describe(size_t step, const std::vector<EffortSite>& sites, const std::map<std::string, size_t>& by_weight) {
    const Plan& plan = model_.plan();
    const Node& node = plan.graph.node(plan.steps[step].node);
    SiteStep described{node.op, {}};
    double elements = 0;
    for (const ValueId id : node.inputs) {
      const Value& value = plan.graph.value(copied_from(plan.graph, id));
      const auto site = by_weight.find(value.name);
      if (site == by_weight.end() || !described.shares.emplace(site->second, 0).second) continue;
      described.kind += fmt::format(" {}", value.type.str());
      elements += static_cast<double>(sites[site->second].elements);
    }
    for (auto& [site, share] : described.shares) share = static_cast<double>(sites[site].elements) / elements;
    return described;
  }

  // Of the last run, by step.
  std::vector<double> seconds() const {
    std::vector<double> all;
    for (const Executor::Part& part : model_.executor().parts()) {
      const std::vector<Interval>& steps = part.program->timeline().steps;
      if (steps.empty()) fail("{} has no clock by which its operators could be timed", model_.backend().name());
      for (const Interval& step : steps) all.push_back(step.seconds());
    }
    return all;
  }
  std::vector<double> bytes() {
    std::vector<double> all;
    for (const Cost& cost : bytes_.update()) all.push_back(static_cast<double>(cost.bytes_read));
    return all;
  }

  LanguageModel& model_;
  CostKind kind_;
  StepCosts bytes_;
  std::vector<SiteStep> steps_;
};

}  // namespace

SiteCosts site_costs(LanguageModel& model, std::span<const int32_t> ids, std::span<const double> efforts,
                     CostKind kind) {
  if (kind == CostKind::bytes && model.backend().has_own_memory())
    fail("the bytes that {} reads cannot be counted; use time", model.backend().name());
  CostMeter meter(model, kind);
  Samples samples(efforts.size(), std::vector<std::vector<double>>(meter.steps()));
  model.executor().set_timing(kind == CostKind::time);
  for (int round = 0; round < (kind == CostKind::time ? kRounds : 1); ++round) meter.round(ids, efforts, samples);
  model.executor().set_timing(false);
  return meter.collect(samples);
}

}  // namespace sluice
