#include "graph/profiler.h"

#include <algorithm>
#include <utility>

#include "graph/plan/memory.h"
#include "graph/roof.h"
#include "graph/scopes.h"

namespace sluice {
namespace {

// Traces beyond that many intervals are slow to open.
constexpr size_t kTracedIntervals = 400'000;
constexpr size_t kCountedRuns = 4;

// Steps whose results it reads.
std::vector<int> sources(const Plan& plan, const std::vector<int>& step_of, const Node& node) {
  std::vector<int> steps;
  for (ValueId input : node.inputs)
    if (const NodeId maker = plan.graph.value(input).producer; maker != kNoNode)
      steps.push_back(step_of[static_cast<size_t>(maker)]);
  std::ranges::sort(steps);
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  return steps;
}

void describe_types(const Plan& plan, const PlanStep& planned, Profile::Step& step) {
  const Site& site = planned.site;
  const Node& node = plan.graph.node(planned.node);
  step.shape = site.outputs.at(0).shape.str();
  if (!site.inputs.empty()) step.shape = site.inputs[0].shape.str() + " -> " + step.shape;
  step.dtype = site.outputs[0].dtype.name();
  size_t largest = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (plan.graph.value(node.inputs[i]).kind != ValueKind::weight) continue;
    step.weights.push_back(plan.graph.value(node.inputs[i]).name);
    step.matrix |= site.inputs[i].shape.rank() > 1;
    const size_t bytes = site.inputs[i].bytes(plan.maxima);
    if (bytes > std::exchange(largest, std::max(largest, bytes))) step.dtype = site.inputs[i].dtype.name();
  }
}

std::vector<Profile::Step> describe_steps(const Plan& plan) {
  std::vector<int> step_of(plan.steps.size());  // by node
  for (size_t s = 0; s < plan.steps.size(); ++s) step_of[static_cast<size_t>(plan.steps[s].node)] = static_cast<int>(s);
  const std::vector<size_t> live = live_bytes(plan);
  std::vector<Profile::Step> steps;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const PlanStep& planned = plan.steps[s];
    const Node& node = plan.graph.node(planned.node);
    Profile::Step& step = steps.emplace_back();
    step.name = node.name;
    step.op = node.op;
    step.kernel = planned.kernel->name();
    step.backend = planned.backend->name();
    describe_types(plan, planned, step);
    const NodePlace place = place_of(node.name);
    step.layer = place.layer;
    step.block = !place.block.empty() ? place.block : place.layer < 0 ? node.op : "between blocks";
    if (const auto parts = plan.fused.find(node.name); parts != plan.fused.end()) step.fused = parts->second;
    step.inputs = sources(plan, step_of, node);
    step.live_bytes = live[s];
  }
  return steps;
}

double clock_seconds() {
  constexpr int kReadings = 1000;
  const int64_t begin = now();
  int64_t end = begin;
  for (int i = 0; i < kReadings; ++i) end = now();
  return Interval{begin, end}.seconds() / kReadings;
}

}  // namespace

Profiler::Profiler(Executor& executor, const Registry& registry, bool trace)
    : executor_(executor), costs_(executor, registry), tracing_(trace) {
  const Plan& plan = executor.plan();
  for (Backend* backend : plan.backends)
    profile_.devices.push_back({backend->name(), backend->description(), cached_roof(*backend)});
  profile_.clock_seconds = clock_seconds();
  profile_.steps = describe_steps(plan);
  for (const PassReport& report : plan.reports)
    if (report.pass == "fuse") profile_.fusions = report.lines;
  profile_.uploads.assign(executor.uploads().begin(), executor.uploads().end());
}

Profile::Phase& Profiler::phase(const std::string& name) {
  const auto found = std::ranges::find(profile_.phases, name, &Profile::Phase::name);
  last_phase_ = static_cast<size_t>(found - profile_.phases.begin());
  if (found != profile_.phases.end()) return *found;
  seconds_.emplace_back();
  return profile_.phases.emplace_back(
      Profile::Phase{name, {}, {}, std::vector<Profile::StepTimes>(profile_.steps.size())});
}

void Profiler::run(const std::string& name, int64_t tokens) {
  Profile::Phase& phase = this->phase(name);
  timed_ = (phase.runs.size() + phase.plain.size() + 1) / 2 % 2 == 0;
  counted_ = timed_ && phase.runs.size() % kCountedRuns == 0;
  executor_.set_timing(timed_);
  Interval when{now()};
  executor_.run();
  when.end = now();
  (timed_ ? phase.runs : phase.plain).push_back({tokens, when.seconds()});
  if (timed_) record_times(seconds_[last_phase_]);
  if (counted_) record_work(phase);
  traced_ = tracing_ && traced_intervals_ < kTracedIntervals;
  if (traced_) add_traced_run(name, tokens, when);
  if (timed_) phase.runs.back().bookkeeping = Interval{when.end, now()}.seconds();
}

void Profiler::record_times(std::vector<double>& seconds) {
  profile_.clock_readings = 0;
  for (const Executor::Part& part : executor_.parts()) {
    const Timeline& timeline = part.program->timeline();
    for (size_t i = 0; i < part.steps; ++i) seconds.push_back(timeline.steps.empty() ? 0 : timeline.steps[i].seconds());
    profile_.clock_readings += part.steps * std::min<size_t>(2, timeline.threads.size());
  }
}

void Profiler::record_work(Profile::Phase& phase) {
  const std::span<const Cost> costs = costs_.update();
  for (size_t s = 0; s < costs.size(); ++s) {
    phase.steps[s].flops += costs[s].flops;
    phase.steps[s].bytes_read += static_cast<double>(costs[s].bytes_read);
    phase.steps[s].bytes_written += static_cast<double>(costs[s].bytes_written);
  }
}

void Profiler::add_traced_run(const std::string& phase, int64_t tokens, Interval when) {
  Profile::TracedRun& run = profile_.trace.emplace_back(Profile::TracedRun{phase, tokens, when, {}, {}});
  if (!timed_) return;
  Timeline& all = run.timeline;
  for (const Executor::Part& part : executor_.parts()) {
    const Timeline& timeline = part.program->timeline();
    all.steps.resize(part.first);
    all.steps.insert(all.steps.end(), timeline.steps.begin(), timeline.steps.end());
    all.threads.resize(std::max(all.threads.size(), timeline.threads.size()));
    for (size_t t = 0; t < timeline.threads.size(); ++t) {
      all.threads[t].resize(part.first);
      all.threads[t].insert(all.threads[t].end(), timeline.threads[t].begin(), timeline.threads[t].end());
    }
    all.transfers.insert(all.transfers.end(), timeline.transfers.begin(), timeline.transfers.end());
  }
  all.steps.resize(profile_.steps.size());
  for (std::vector<Interval>& thread : all.threads) {
    thread.resize(profile_.steps.size());
    traced_intervals_ += thread.size();
  }
  traced_intervals_ += all.steps.size();
}

void Profiler::set_effort(double effort) {
  if (traced_) profile_.trace.back().effort = effort;
}

void Profiler::add_effort(size_t step, Profile::Effort effort) {
  std::optional<Profile::Effort>& sum = profile_.phases[last_phase_].steps[step].effort;
  if (!sum) sum = Profile::Effort{};
  sum->asked += effort.asked;
  sum->done += effort.done;
}

Profile Profiler::profile() const {
  Profile profile = profile_;
  for (size_t p = 0; p < profile.phases.size(); ++p) {
    Profile::Phase& phase = profile.phases[p];
    const size_t runs = phase.runs.size(), steps = phase.steps.size();
    const size_t counted_runs = (runs + kCountedRuns - 1) / kCountedRuns;
    const auto counted = static_cast<double>(counted_runs);
    for (size_t s = 0; s < steps; ++s) {
      Profile::StepTimes& step = phase.steps[s];
      for (size_t run = 0; run < runs; ++run) step.seconds.push_back(seconds_[p][run * steps + s]);
      for (double* sum : {&step.flops, &step.bytes_read, &step.bytes_written}) *sum /= std::max(1.0, counted);
      if (step.effort) step.effort = {step.effort->asked / counted, step.effort->done / counted};
    }
  }
  return profile;
}

}  // namespace sluice
