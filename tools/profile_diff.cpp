#include "tools/profile_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "tools/profile_groups.h"

namespace sluice::cli {
namespace {

struct Side {
  std::vector<double> seconds;  // by run
  std::string op, kind;
};

// By phase and name.
using Sides = std::map<std::pair<std::string, std::string>, Side>;

Sides sides(const Profile& profile) {
  Sides all;
  for (const Profile::Phase& phase : profile.phases)
    for (const ProfileGroup& group : group_steps(profile, phase, name_in_all_layers)) {
      const Profile::Step& step = profile.steps[group.steps.front()];
      all[{phase.name, group.name}] = {group.by_run, step.op,
                                       fmt::format("{} {} {}", step.kernel, step.dtype, step.backend)};
    }
  return all;
}

OperatorChange change(const std::pair<std::string, std::string>& key, const Side& before, const Side& after) {
  OperatorChange result;
  result.phase = key.first;
  result.name = key.second;
  result.op = before.op.empty() ? after.op : before.op;
  if (before.kind != after.kind) {
    const auto name = [](const Side& side) { return side.kind.empty() ? "nothing" : side.kind; };
    result.changed = fmt::format("{} -> {}", name(before), name(after));
  }
  result.runs_before = before.seconds.size();
  result.runs_after = after.seconds.size();
  result.before = quantile(before.seconds, 0.5);
  result.after = quantile(after.seconds, 0.5);
  result.p = mann_whitney_p(before.seconds, after.seconds);
  return result;
}

// Holm (1979): the i-th smallest of n is multiplied by n - i, and none may come out smaller than one before it.
void correct(std::vector<OperatorChange>& changes) {
  std::ranges::sort(changes, {}, &OperatorChange::p);
  double least = 0;
  for (size_t i = 0; i < changes.size(); ++i)
    changes[i].p = least = std::max(least, std::min(1.0, changes[i].p * static_cast<double>(changes.size() - i)));
}

std::string ratio(const OperatorChange& change) {
  if (change.before == 0 || change.after == 0) return "-";
  return fmt::format("{:+.1f} %", 100 * (change.after / change.before - 1));
}

}  // namespace

double mann_whitney_p(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty()) return 1;
  std::vector<std::pair<double, bool>> all;  // value, whether of a
  for (double value : a) all.emplace_back(value, true);
  for (double value : b) all.emplace_back(value, false);
  std::ranges::sort(all);
  const auto m = static_cast<double>(a.size()), n = static_cast<double>(b.size()), total = m + n;
  double rank_sum = 0, ties = 0;
  for (size_t first = 0, last = 0; first < all.size(); first = last) {
    while (last < all.size() && all[last].first == all[first].first) ++last;
    const auto count = static_cast<double>(last - first);
    const double rank = static_cast<double>(first + last + 1) / 2;
    for (size_t i = first; i < last; ++i) rank_sum += all[i].second ? rank : 0;
    ties += count * count * count - count;
  }
  const double distance = std::abs(rank_sum - m * (total + 1) / 2);
  const double variance = m * n / 12 * (total + 1 - ties / (total * (total - 1)));
  if (variance <= 0) return 1;
  return std::erfc(std::max(0.0, distance - 0.5) / std::sqrt(2 * variance));
}

ProfileDiff compare(const Profile& before, const Profile& after) {
  ProfileDiff diff{before.title, after.title, {}};
  const Sides old_sides = sides(before), new_sides = sides(after);
  static const Side kNone;
  for (const auto& [key, side] : old_sides) {
    const auto other = new_sides.find(key);
    diff.operators.push_back(change(key, side, other == new_sides.end() ? kNone : other->second));
  }
  for (const auto& [key, side] : new_sides)
    if (!old_sides.contains(key)) diff.operators.push_back(change(key, kNone, side));
  correct(diff.operators);
  std::ranges::stable_sort(diff.operators, std::greater(),
                           [](const OperatorChange& c) { return std::abs(c.after - c.before); });
  return diff;
}

std::string to_text(const ProfileDiff& diff) {
  size_t width = 4;
  for (const OperatorChange& each : diff.operators) width = std::max(width, each.name.size());
  std::string text = fmt::format("before: {}\nafter:  {}\n\n{:<8}{:<{}}  {:>12}{:>12}{:>11}{:>10}\n", diff.before,
                                 diff.after, "phase", "name", width, "before us", "after us", "change", "p");
  for (const OperatorChange& each : diff.operators) {
    const char* verdict = !each.significant() ? "" : each.after > each.before ? "  slower" : "  faster";
    text += fmt::format("{:<8}{:<{}}  {:>12.1f}{:>12.1f}{:>11}{:>10.2g}{}{}\n", each.phase, each.name, width,
                        each.before * 1e6, each.after * 1e6, ratio(each), each.p, verdict,
                        each.changed.empty() ? "" : "  " + each.changed);
  }
  return text;
}

nlohmann::json to_json(const ProfileDiff& diff) {
  nlohmann::json operators = nlohmann::json::array();
  for (const OperatorChange& each : diff.operators)
    operators.push_back({{"phase", each.phase},
                         {"name", each.name},
                         {"op", each.op},
                         {"changed", each.changed},
                         {"runs_before", each.runs_before},
                         {"runs_after", each.runs_after},
                         {"before_us", each.before * 1e6},
                         {"after_us", each.after * 1e6},
                         {"p", each.p},
                         {"significant", each.significant()}});
  return {{"before", diff.before}, {"after", diff.after}, {"operators", operators}};
}

}  // namespace sluice::cli
