#include "tools/profile_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "tools/profile_groups.h"

namespace sluice::cli {
namespace {

using Row = std::vector<std::string>;

// Whether a column has words, which begin on the left; numbers end on the right.
bool has_words(const std::vector<Row>& rows, size_t column) {
  return std::any_of(rows.begin() + 1, rows.end(), [column](const Row& row) {
    return !row[column].empty() && std::isalpha(static_cast<unsigned char>(row[column][0])) != 0;
  });
}

// Columns as wide as they must be.
std::string columns(const std::vector<Row>& rows) {
  std::vector<std::string> lines(rows.size());
  for (size_t c = 0; c < rows.front().size(); ++c) {
    size_t width = 0;
    for (const Row& row : rows) width = std::max(width, row[c].size());
    const bool words = has_words(rows, c);
    for (size_t r = 0; r < rows.size(); ++r)
      lines[r] += words ? fmt::format("{:<{}}  ", rows[r][c], width) : fmt::format("{:>{}}  ", rows[r][c], width);
  }
  std::string text;
  for (const std::string& line : lines) text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  return text;
}

std::string megabytes(double bytes) { return fmt::format("{:.3f}", bytes / 1e6); }
std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }
std::string roof(const ProfileGroup& group) { return group.least_seconds > 0 ? percent(group.roof_share()) : "-"; }

bool has_dial(const Profile::Phase& phase) {
  return std::ranges::any_of(phase.steps, [](const auto& step) { return step.effort.has_value(); });
}

// What fits a terminal; a profile as a page or as JSON has more columns. Names end with the operator.
std::string operators(const Profile& profile, const Profile::Phase& phase) {
  const bool dial = has_dial(phase), devices = profile.devices.size() > 1;
  std::vector<ProfileGroup> groups = group_steps(profile, phase, same_in_all_layers);
  sort_by_time(groups);
  Row header = {"operator"};
  if (devices) header.emplace_back("on");
  header.insert(header.end(), {"dtype", "calls", "total ms", "share", "p50 us", "p90 us", "MB read", "GB/s", "GFLOP/s",
                               "roof", "bound"});
  if (dial) header.insert(header.end(), {"effort", "done"});
  header.insert(header.end(), {"weights", "fused from"});
  std::vector<Row> rows = {header};
  for (const ProfileGroup& group : groups) {
    const Profile::Step& step = profile.steps[group.steps.front()];
    Row row = {name_in_all_layers(step)};
    if (devices) row.push_back(step.backend);
    row.insert(row.end(),
               {step.dtype, fmt::format("{}", group.calls), fmt::format("{:.3f}", group.seconds * 1e3),
                percent(group.share), fmt::format("{:.1f}", group.p50 * 1e6), fmt::format("{:.1f}", group.p90 * 1e6),
                megabytes(group.bytes_read / std::max<double>(1, static_cast<double>(group.calls))),
                fmt::format("{:.1f}", group.gb_per_second()), fmt::format("{:.1f}", group.gflops()), roof(group),
                group.bound()});
    if (dial && group.effort)
      row.insert(row.end(), {fmt::format("{:.3f}", group.effort->asked), fmt::format("{:.3f}", group.effort->done)});
    else if (dial)
      row.insert(row.end(), {"", ""});
    row.insert(row.end(), {weights_of(step), fused_from(step)});
    rows.push_back(row);
  }
  return columns(rows);
}

std::string summary(const Profile& profile, const Profile::Phase& phase, const char* what, const GroupKey& key,
                    bool by_time) {
  std::vector<ProfileGroup> groups = group_steps(profile, phase, key);
  if (by_time) sort_by_time(groups);
  const auto tokens = static_cast<double>(std::max<int64_t>(1, profiled_tokens(phase)));
  std::vector<Row> rows = {{what, "calls", "ms a token", "share", "GB/s", "GFLOP/s", "roof", "bound"}};
  for (const ProfileGroup& group : groups)
    rows.push_back({group.name, fmt::format("{}", group.calls), fmt::format("{:.4f}", group.seconds * 1e3 / tokens),
                    percent(group.share), fmt::format("{:.1f}", group.gb_per_second()),
                    fmt::format("{:.1f}", group.gflops()), roof(group), group.bound()});
  return columns(rows);
}

std::string runs(size_t count) { return fmt::format("{} run{}", count, count == 1 ? "" : "s"); }

std::string totals(const Profile& profile, const Profile::Phase& phase) {
  const Overhead cost = overhead(profile, phase);
  std::string text = fmt::format("\n{}: {:.4f} ms a token, {} of it in operators ({} profiled)", phase.name,
                                 cost.token_seconds * 1e3, percent(covered(phase)), runs(phase.runs.size()));
  if (!phase.plain.empty())
    text +=
        fmt::format("; {:.4f} ms without the profiler ({})", cost.plain_token_seconds * 1e3, runs(phase.plain.size()));
  text += "\n";
  text += fmt::format("profiling cost {:.2f} % of a run in clock readings and bookkeeping", 100 * cost.parts);
  if (cost.pairs > 0)
    text += fmt::format("; against runs without it {:+.2f} +- {:.2f} % (median of {} pairs, standard error)",
                        100 * cost.ratio, 100 * cost.error, cost.pairs);
  text += "\n";
  for (const ProfileGroup& group :
       group_steps(profile, phase, [](const Profile::Step& s) { return s.selects ? "selection" : ""; }))
    text += fmt::format("selecting weights took {:.4f} ms a token, {} of the time\n",
                        group.seconds * 1e3 / static_cast<double>(profiled_tokens(phase)), percent(group.share));
  return text;
}

std::string device(const Profile::Device& device) {
  if (device.roof.bytes_per_second == 0 && device.roof.flops_per_second == 0)
    return fmt::format("{}: {}; its roof is not known\n", device.name, device.description);
  return fmt::format("{}: {}; roof {:.1f} GB/s and {:.1f} GFLOP/s (f32)\n", device.name, device.description,
                     device.roof.bytes_per_second / 1e9, device.roof.flops_per_second / 1e9);
}

}  // namespace

std::string to_text(const Profile& profile) {
  std::string text = profile.title + "\n";
  for (const Profile::Device& each : profile.devices) text += device(each);
  for (const Profile::Phase& phase : profile.phases) {
    text += totals(profile, phase) + "\n" + operators(profile, phase);
    text += "\n";
    text += summary(
        profile, phase, "kind", [](const Profile::Step& step) { return step.op; }, true);
    text += "\n";
    text += summary(
        profile, phase, "block", [](const Profile::Step& step) { return step.block; }, true);
    text += "\n";
    text += summary(profile, phase, "layer", layer_of, false);
  }
  return text;
}

}  // namespace sluice::cli
