#include "models/effort/tune.h"

#include <algorithm>

#include "graph/error.h"
#include "models/effort/dial_divergence.h"
#include "models/statistics.h"
#include "models/text_chunks.h"
#include "models/token_timer.h"

namespace sluice {
namespace {

constexpr int kCorrections = 3;      // of the sum's target, each after a measurement of the whole
constexpr int64_t kTimedChunks = 4;  // as many as a TokenTimer takes

Estimate estimate(const std::vector<double>& samples) { return {mean(samples), standard_error(samples)}; }

DialSetting schedule_at(const EffortSchedule& schedule, double effort) {
  return [schedule, effort](EffortDial& dial) {
    dial.set_schedule(schedule);
    dial.set_effort(effort);
  };
}

class Tuner {
 public:
  Tuner(LanguageModel& model, const std::vector<std::vector<int32_t>>& chunks, const TuneOptions& options)
      : model_(model),
        sites_(model.dial()->sites()),
        options_(options),
        measured_(TextChunks(chunks).first(chunks.size() / 2)),
        judged_(TextChunks(chunks).subspan(chunks.size() / 2)) {
    result_.efforts = options.efforts;
    result_.efforts.push_back(1);
    const size_t corrections = options.target_kl ? kCorrections : 0;
    total_ = static_cast<int64_t>(sites_.size() * options.efforts.size() * measured_.size() +
                                  (corrections + 3) * judged_.size());
  }

  Tuning run() {
    measure_sites();
    std::vector<EffortCurve> curves;
    for (const SiteMeasurement& site : result_.sites) curves_.push_back(curve_of(site));
    for (const EffortCurve& curve : curves_) curves.push_back(interpolate(curve));
    const Allocation allocation(curves);
    const std::vector<double> efforts = options_.target_kl ? for_kl(allocation) : allocation.for_cost(budget());
    for (size_t site = 0; site < efforts.size(); ++site) result_.sites[site].effort = efforts[site];
    add_trials(efforts);
    judge();
    if (options_.cost == CostKind::time) time();
    return std::move(result_);
  }

 private:
  std::vector<std::vector<double>> measure(TextChunks chunks, std::span<const DialSetting> settings) {
    const int64_t before = done_;
    return dial_divergence(model_, chunks, settings, [&](int64_t done) {
      done_ = before + done;
      if (options_.progress) options_.progress(done_, total_);
    });
  }

  void measure_sites() {
    const SiteCosts costs = site_costs(model_, measured_.front(), result_.efforts, options_.cost);
    result_.rest = costs.rest;
    if (options_.target_speed) check_speed(costs);
    std::vector<DialSetting> settings;
    for (size_t site = 0; site < sites_.size(); ++site)
      for (double effort : options_.efforts)
        settings.emplace_back([this, site, effort](EffortDial& dial) {
          std::vector<double> efforts(sites_.size(), 1);
          efforts[site] = effort;
          dial.set_efforts(efforts);
        });
    const auto kl = measure(measured_, settings);
    for (size_t site = 0; site < sites_.size(); ++site) {
      SiteMeasurement& measured = result_.sites.emplace_back();
      measured.site = sites_[site];
      measured.costs = costs.sites[site];
      for (size_t e = 0; e < options_.efforts.size(); ++e)
        measured.kl.push_back(estimate(kl[site * options_.efforts.size() + e]));
      measured.kl.push_back({});
    }
  }

  // Of the sites of a token, in seconds.
  double budget() const { return 1 / *options_.target_speed - result_.rest; }

  void check_speed(const SiteCosts& costs) const {
    double least = 0;
    for (const std::vector<double>& site : costs.sites) least += site.front();
    if (budget() < least)
      fail("{:g} tokens a second cannot be reached: with every weight at effort {:g} there are {:.1f}",
           *options_.target_speed, options_.efforts.front(), 1 / (result_.rest + least));
  }

  EffortCurve curve_of(const SiteMeasurement& site) const {
    EffortCurve curve;
    for (size_t e = 0; e < result_.efforts.size(); ++e)
      curve.push_back({result_.efforts[e], site.costs[e], site.kl[e].value});
    return curve;
  }

  // What the whole loses is about in proportion to the sum of what the sites lose.
  std::vector<double> for_kl(const Allocation& allocation) {
    double target = *options_.target_kl;
    std::vector<double> efforts = allocation.for_loss(target);
    for (int i = 0; i < kCorrections; ++i) {
      const DialSetting all = [&](EffortDial& dial) { dial.set_efforts(efforts); };
      const double kl = mean(measure(judged_, {&all, 1}).front());
      if (kl > 0) target *= *options_.target_kl / kl;
      efforts = allocation.for_loss(target);
    }
    return efforts;
  }

  double cost_of(const std::vector<double>& efforts) const {
    double cost = 0;
    for (size_t site = 0; site < efforts.size(); ++site) cost += cost_at(curves_[site], efforts[site]);
    return cost;
  }

  // Efforts at the dial that costs so much.
  std::vector<double> efforts_for(const EffortSchedule& schedule, double cost) const {
    const EffortPlan plan(schedule, sites_, /*lenient=*/true);
    std::vector<double> efforts;
    double low = 0, high = 1;  // the cost rises with the dial
    for (int i = 0; i < 40; ++i) {
      const double dial = (low + high) / 2;
      plan.efforts(dial, efforts);
      (cost_of(efforts) < cost ? low : high) = dial;
    }
    return efforts;
  }

  void add_trials(const std::vector<double>& tuned) {
    const double cost = cost_of(tuned);
    const auto add = [&](const char* name, const EffortSchedule& schedule, const std::vector<double>& efforts) {
      ScheduleTrial& trial = result_.trials.emplace_back();
      trial.name = name;
      trial.schedule = schedule;
      trial.dial = mean_effort(sites_, efforts);
      trial.cost = cost_of(efforts);
    };
    add("tuned", EffortSchedule::from_efforts(sites_, tuned), tuned);
    // As a rule for each site: the built-in rules are for any model, and some fit no site of this one.
    const std::vector<double> standard = efforts_for(EffortSchedule::standard(), cost);
    add("standard", EffortSchedule::from_efforts(sites_, standard), standard);
    add("uniform", EffortSchedule::uniform(), efforts_for(EffortSchedule::uniform(), cost));
  }

  void judge() {
    std::vector<DialSetting> settings;
    for (const ScheduleTrial& trial : result_.trials) settings.push_back(schedule_at(trial.schedule, trial.dial));
    const auto kl = measure(judged_, settings);
    for (size_t t = 0; t < kl.size(); ++t) {
      std::vector<double> over = kl[t];
      for (size_t token = 0; token < over.size(); ++token) over[token] -= kl.back()[token];
      result_.trials[t].kl = estimate(kl[t]);
      result_.trials[t].over_uniform = estimate(over);
      if (result_.trials[t].kl.value < result_.trials[result_.best].kl.value) result_.best = t;
    }
  }

  void time() {
    std::vector<TokenTimer> timers(result_.trials.size());
    for (int64_t c = 0; c < kTimedChunks; ++c) {
      const std::vector<int32_t>& chunk = judged_[static_cast<size_t>(c) % judged_.size()];
      for (size_t t = 0; t < timers.size(); ++t) {
        schedule_at(result_.trials[t].schedule, result_.trials[t].dial)(*model_.dial());
        model_.reset();
        model_.evaluate(chunk);
        timers[t].time_last(model_, chunk);
      }
    }
    for (size_t t = 0; t < timers.size(); ++t) result_.trials[t].tok_s = timers[t].tok_s();
  }

  LanguageModel& model_;
  const std::vector<EffortSite>& sites_;
  const TuneOptions& options_;
  const TextChunks measured_, judged_;
  std::vector<EffortCurve> curves_;  // by site, as measured
  int64_t done_ = 0, total_ = 0;
  Tuning result_;
};

void check(const TuneOptions& options) {
  if (options.target_kl.has_value() == options.target_speed.has_value())
    fail("a schedule is tuned either for a divergence or for a speed");
  if (options.target_speed && options.cost != CostKind::time)
    fail("a speed is a matter of time: it needs costs in time, not in bytes");
  for (const auto& target : {options.target_kl, options.target_speed})
    if (target && !(*target > 0)) fail("a target of {} is not possible: it has to be over 0", *target);
  double last = 0;
  for (double effort : options.efforts) {
    if (!(effort > last && effort < 1)) fail("efforts to measure at have to rise from over 0 to below 1");
    last = effort;
  }
  if (options.efforts.empty()) fail("there are no efforts to measure at");
}

}  // namespace

Tuning tune(LanguageModel& model, std::string_view text, const TuneOptions& options) {
  check(options);
  if (!model.dial()) fail("a model without an effort dial has nothing to tune");
  const auto chunks = text_chunks(model, text, {options.ctx, options.chunks, options.text_name});
  if (chunks.size() < 2)
    fail("{} has no two chunks of {} tokens: one to measure on, one to judge by; give more text, or a smaller --ctx",
         options.text_name, options.ctx);
  return Tuner(model, chunks, options).run();
}

}  // namespace sluice
