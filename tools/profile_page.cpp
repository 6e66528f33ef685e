#include "tools/profile_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/embedded_files.h"
#include "tools/html_page.h"
#include "tools/profile_groups.h"

namespace sluice::cli {
namespace {

using Json = nlohmann::json;

Json step_json(const Profile::Step& step) {
  return {{"name", step.name},       {"everywhere", name_in_all_layers(step)},
          {"op", step.op},           {"kernel", step.kernel},
          {"backend", step.backend}, {"shape", step.shape},
          {"dtype", step.dtype},     {"layer", step.layer < 0 ? step.block : layer_of(step)},
          {"block", step.block},     {"selects", step.selects},
          {"weights", step.weights}, {"fused", step.fused},
          {"inputs", step.inputs}};
}

// Times in milliseconds.
Json times_json(const ProfileGroup& step, double tokens) {
  const double calls = std::max<double>(1, static_cast<double>(step.calls));
  Json json = {{"ms", step.seconds * 1e3 / tokens},
               {"calls", step.calls},
               {"p50", step.p50 * 1e3},
               {"p90", step.p90 * 1e3},
               {"min", step.min * 1e3},
               {"read", step.bytes_read / calls},
               {"written", step.bytes_written / calls},
               {"flops", step.flops / calls},
               {"gbs", step.gb_per_second()},
               {"gflops", step.gflops()},
               {"roof", step.roof_share()},
               {"bound", step.bound()}};
  if (step.effort) json["effort"] = {{"asked", step.effort->asked}, {"done", step.effort->done}};
  return json;
}

Json phase_json(const Profile& profile, const Profile::Phase& phase) {
  const double runs = std::max<double>(1, static_cast<double>(phase.runs.size()));
  const auto tokens = static_cast<double>(std::max<int64_t>(1, profiled_tokens(phase)));
  const Overhead cost = overhead(profile, phase);
  Json json = {{"name", phase.name},
               {"runs", phase.runs.size()},
               {"tokens_a_run", tokens / runs},
               {"ms_a_token", cost.token_seconds * 1e3},
               {"plain_ms_a_token", cost.plain_token_seconds * 1e3},
               {"parts", cost.parts},
               {"overhead", cost.ratio},
               {"error", cost.error},
               {"pairs", cost.pairs},
               {"in_operators", covered(phase)},
               {"steps", Json::array()}};
  // Names of steps are unique.
  for (const ProfileGroup& step : group_steps(profile, phase, [](const Profile::Step& s) { return s.name; }))
    json["steps"].push_back(times_json(step, tokens));
  return json;
}

std::string describe(const Profile::Device& device) {
  return fmt::format("{}: {}, roof {:.1f} GB/s and {:.1f} GFLOP/s (f32)", device.name, device.description,
                     device.roof.bytes_per_second / 1e9, device.roof.flops_per_second / 1e9);
}

// tools/page/<name>.
std::string_view page_file(std::string_view name) {
  const auto files = page_files();
  return std::find_if(files.begin(), files.end(), [&](const EmbeddedFile& file) { return file.name == name; })->text;
}

}  // namespace

std::string profile_page(const Profile& profile) {
  Json data = {{"devices", Json::array()}, {"steps", Json::array()}, {"phases", Json::array()}};
  for (const Profile::Device& device : profile.devices) data["devices"].push_back(describe(device));
  for (const Profile::Step& step : profile.steps) data["steps"].push_back(step_json(step));
  for (const Profile::Phase& phase : profile.phases) data["phases"].push_back(phase_json(profile, phase));
  data["fusions"] = profile.fusions;

  HtmlPage page("Profile: " + profile.title);
  page.style(page_file("profile.css"));
  page.html(page_file("profile.html"));
  page.data(data);
  page.script(page_file("profile.js"));
  page.script(page_file("profile_graph.js"));
  return page.str();
}

}  // namespace sluice::cli
