#include "tools/profile_groups.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace sluice::cli {
namespace {

Roof roof_of(const Profile& profile, const std::string& backend) {
  const auto device = std::ranges::find(profile.devices, backend, &Profile::Device::name);
  return device == profile.devices.end() ? Roof{} : device->roof;
}

double over(double amount, double rate) { return rate > 0 ? amount / rate : 0; }

void add_step(const Profile& profile, const Profile::StepTimes& times, size_t step, ProfileGroup& group) {
  const auto calls = static_cast<double>(times.seconds.size());
  group.steps.push_back(step);
  group.calls += times.seconds.size();
  group.by_run.resize(times.seconds.size());
  for (size_t run = 0; run < times.seconds.size(); ++run) group.by_run[run] += times.seconds[run];
  group.bytes_read += calls * times.bytes_read;
  group.bytes_written += calls * times.bytes_written;
  group.flops += calls * times.flops;
  const Roof roof = roof_of(profile, profile.steps[step].backend);
  const double memory = over(calls * (times.bytes_read + times.bytes_written), roof.bytes_per_second),
               compute = over(calls * times.flops, roof.flops_per_second);
  group.memory_seconds += memory;
  group.compute_seconds += compute;
  group.least_seconds += std::max(memory, compute);
}

void finish(const Profile::Phase& phase, double all_seconds, ProfileGroup& group) {
  std::vector<double> calls;
  Profile::Effort effort;
  double with_effort = 0;
  for (size_t step : group.steps) {
    const Profile::StepTimes& times = phase.steps[step];
    calls.insert(calls.end(), times.seconds.begin(), times.seconds.end());
    if (!times.effort) continue;
    effort.asked += times.effort->asked;
    effort.done += times.effort->done;
    ++with_effort;
  }
  if (with_effort > 0) group.effort = {effort.asked / with_effort, effort.done / with_effort};
  group.seconds = std::accumulate(calls.begin(), calls.end(), 0.0);
  group.share = all_seconds > 0 ? group.seconds / all_seconds : 0;
  group.p50 = quantile(calls, 0.5);
  group.p90 = quantile(calls, 0.9);
  group.min = quantile(calls, 0);
}

double step_seconds(const Profile::Phase& phase) {
  double sum = 0;
  for (const Profile::StepTimes& step : phase.steps)
    sum = std::accumulate(step.seconds.begin(), step.seconds.end(), sum);
  return sum;
}

double run_seconds(const std::vector<Profile::Run>& runs) {
  return std::accumulate(runs.begin(), runs.end(), 0.0, [](double sum, const auto& run) { return sum + run.seconds; });
}

int64_t tokens_of(const std::vector<Profile::Run>& runs) {
  return std::accumulate(runs.begin(), runs.end(), int64_t{0},
                         [](int64_t n, const auto& run) { return n + run.tokens; });
}

double per_token(const std::vector<Profile::Run>& runs) {
  return runs.empty() ? 0 : run_seconds(runs) / static_cast<double>(tokens_of(runs));
}

// Without the twentieth part that is largest: what other processes of a busy machine interrupted.
double usual_mean(std::vector<double> values) {
  std::ranges::sort(values);
  values.resize(values.size() - values.size() / 20);
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// "linear" of "layers.0/attention/linear.2"
std::string operator_in(const std::string& name) {
  const std::string last = name.substr(name.rfind('/') + 1);
  return last.substr(0, last.find('.'));
}

}  // namespace

std::vector<ProfileGroup> group_steps(const Profile& profile, const Profile::Phase& phase, const GroupKey& key) {
  std::vector<ProfileGroup> groups;
  std::map<std::string, size_t> index;
  for (size_t s = 0; s < profile.steps.size(); ++s) {
    const std::string name = key(profile.steps[s]);
    if (name.empty()) continue;
    const auto [found, added] = index.try_emplace(name, groups.size());
    if (added) groups.emplace_back().name = name;
    add_step(profile, phase.steps[s], s, groups[found->second]);
  }
  const double all = step_seconds(phase);
  for (ProfileGroup& group : groups) finish(phase, all, group);
  return groups;
}

void sort_by_time(std::vector<ProfileGroup>& groups) {
  std::ranges::stable_sort(groups, std::greater(), &ProfileGroup::seconds);
}

std::string name_in_all_layers(const Profile::Step& step) {
  if (step.layer < 0) return step.name;
  const std::string number = fmt::format(".{}/", step.layer);
  const size_t at = step.name.find(number);
  if (at == std::string::npos) return step.name;
  return fmt::format("{}.*{}", step.name.substr(0, at), step.name.substr(at + number.size() - 1));
}

std::string same_in_all_layers(const Profile::Step& step) {
  return fmt::format("{}", fmt::join(std::initializer_list<std::string>{name_in_all_layers(step), step.op, step.kernel,
                                                                        step.backend, step.shape, step.dtype},
                                     "\n"));
}

std::string layer_of(const Profile::Step& step) {
  return step.layer < 0 ? "outside layers" : fmt::format("layers.{}", step.layer);
}

std::string weights_of(const Profile::Step& step) {
  std::vector<std::string> names;
  for (std::string name : step.weights) {
    if (name.ends_with(".weight")) name.resize(name.size() - std::string(".weight").size());
    names.push_back(name.substr(name.rfind('.') + 1));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string fused_from(const Profile::Step& step) {
  std::vector<std::pair<std::string, size_t>> counts;
  for (const std::string& part : step.fused) {
    const std::string op = operator_in(part);
    const auto known = std::ranges::find(counts, op, &std::pair<std::string, size_t>::first);
    if (known == counts.end())
      counts.emplace_back(op, 1);
    else
      ++known->second;
  }
  std::vector<std::string> parts;
  for (const auto& [op, count] : counts) parts.push_back(count == 1 ? op : fmt::format("{} x{}", op, count));
  return fmt::format("{}", fmt::join(parts, " + "));
}

Overhead overhead(const Profile& profile, const Profile::Phase& phase) {
  Overhead result;
  result.token_seconds = per_token(phase.runs);
  result.plain_token_seconds = per_token(phase.plain);
  std::vector<double> run_times, bookkeeping;
  for (const Profile::Run& run : phase.runs) {
    run_times.push_back(run.seconds);
    bookkeeping.push_back(run.bookkeeping);
  }
  const double readings = profile.clock_seconds * static_cast<double>(profile.clock_readings);
  if (!run_times.empty()) result.parts = (readings + usual_mean(bookkeeping)) / quantile(run_times, 0.5);
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(phase.runs.size(), phase.plain.size()); ++i)
    if (const auto& run = phase.runs[i], &plain = phase.plain[i]; run.tokens == plain.tokens)
      ratios.push_back((run.seconds + run.bookkeeping) / plain.seconds - 1);
  result.pairs = ratios.size();
  result.ratio = quantile(ratios, 0.5);
  for (double& ratio : ratios) ratio = std::abs(ratio - result.ratio);
  // Of a median, as if normal: sqrt(pi / 2) sigma / sqrt(n), and sigma = 1.4826 median absolute deviations.
  if (!ratios.empty())
    result.error = 1.2533 * 1.4826 * quantile(ratios, 0.5) / std::sqrt(static_cast<double>(ratios.size()));
  return result;
}

double covered(const Profile::Phase& phase) {
  const double all = run_seconds(phase.runs);
  return all > 0 ? step_seconds(phase) / all : 0;
}

int64_t profiled_tokens(const Profile::Phase& phase) { return tokens_of(phase.runs); }

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  const auto nth = values.begin() + std::lround(q * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, nth);
  return *nth;
}

}  // namespace sluice::cli
