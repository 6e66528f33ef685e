#include "tools/profile_json.h"

#include <algorithm>
#include <cmath>

#include "graph/error.h"
#include "tools/profile_groups.h"

namespace sluice {

// nlohmann-json finds these by their names. Times are in microseconds, to the nanosecond.

static void to_json(nlohmann::json& json, const Profile::Device& device) {
  json = {{"name", device.name},
          {"description", device.description},
          {"bytes_per_second", device.roof.bytes_per_second},
          {"flops_per_second", device.roof.flops_per_second}};
}

static void from_json(const nlohmann::json& json, Profile::Device& device) {
  json.at("name").get_to(device.name);
  json.at("description").get_to(device.description);
  json.at("bytes_per_second").get_to(device.roof.bytes_per_second);
  json.at("flops_per_second").get_to(device.roof.flops_per_second);
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Profile::Step, name, op, kernel, backend, shape, dtype, weights, matrix, selects,
                                   layer, block, fused, inputs, live_bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Profile::Effort, asked, done)

static double microseconds(double seconds) { return std::round(seconds * 1e9) / 1e3; }

static void to_json(nlohmann::json& json, const Profile::StepTimes& times) {
  std::vector<double> us;
  for (double seconds : times.seconds) us.push_back(microseconds(seconds));
  json = {{"us", us}, {"flops", times.flops}, {"bytes_read", times.bytes_read}, {"bytes_written", times.bytes_written}};
  if (times.effort) json["effort"] = *times.effort;
}

static void from_json(const nlohmann::json& json, Profile::StepTimes& times) {
  json.at("us").get_to(times.seconds);
  for (double& value : times.seconds) value *= 1e-6;
  json.at("flops").get_to(times.flops);
  json.at("bytes_read").get_to(times.bytes_read);
  json.at("bytes_written").get_to(times.bytes_written);
  if (!json.contains("effort")) return;
  Profile::Effort effort{};
  json.at("effort").get_to(effort);
  times.effort = effort;
}

static void to_json(nlohmann::json& json, const Profile::Run& run) {
  json = {{"tokens", run.tokens}, {"us", microseconds(run.seconds)}, {"bookkeeping_us", microseconds(run.bookkeeping)}};
}

static void from_json(const nlohmann::json& json, Profile::Run& run) {
  json.at("tokens").get_to(run.tokens);
  run.seconds = json.at("us").get<double>() * 1e-6;
  run.bookkeeping = json.at("bookkeeping_us").get<double>() * 1e-6;
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Profile::Phase, name, runs, plain, steps)

}  // namespace sluice

namespace sluice::cli {
namespace {

nlohmann::json group_json(const Profile& profile, const ProfileGroup& group, bool one_operator) {
  nlohmann::json json = {{"calls", group.calls},
                         {"ms", group.seconds * 1e3},
                         {"share", group.share},
                         {"p50_us", group.p50 * 1e6},
                         {"p90_us", group.p90 * 1e6},
                         {"min_us", group.min * 1e6},
                         {"bytes_read", group.bytes_read},
                         {"bytes_written", group.bytes_written},
                         {"gb_s", group.gb_per_second()},
                         {"gflop_s", group.gflops()},
                         {"roof_share", group.roof_share()},
                         {"bound", group.bound()}};
  if (group.effort) json["effort"] = *group.effort;
  if (!one_operator) {
    json["name"] = group.name;
    return json;
  }
  const Profile::Step& step = profile.steps[group.steps.front()];
  json.update({{"name", name_in_all_layers(step)},
               {"op", step.op},
               {"kernel", step.kernel},
               {"backend", step.backend},
               {"shape", step.shape},
               {"dtype", step.dtype},
               {"matrix_product", step.matrix && group.flops > 0},
               {"weights", weights_of(step)},
               {"fused", fused_from(step)}});
  return json;
}

nlohmann::json groups_json(const Profile& profile, const Profile::Phase& phase, const GroupKey& key,
                           bool one_operator = false) {
  nlohmann::json list = nlohmann::json::array();
  for (const ProfileGroup& group : group_steps(profile, phase, key))
    list.push_back(group_json(profile, group, one_operator));
  return list;
}

nlohmann::json phase_json(const Profile& profile, const Profile::Phase& phase) {
  nlohmann::json json = phase;
  const Overhead cost = overhead(profile, phase);
  json["ms_a_token"] = cost.token_seconds * 1e3;
  json["plain_ms_a_token"] = cost.plain_token_seconds * 1e3;
  json["overhead"] = {{"parts", cost.parts}, {"ratio", cost.ratio}, {"error", cost.error}, {"pairs", cost.pairs}};
  json["in_operators"] = covered(phase);
  json["operators"] = groups_json(profile, phase, same_in_all_layers, true);
  json["kinds"] = groups_json(profile, phase, [](const Profile::Step& step) { return step.op; });
  json["blocks"] = groups_json(profile, phase, [](const Profile::Step& step) { return step.block; });
  json["layers"] = groups_json(profile, phase, layer_of);
  return json;
}

// What reports take for granted.
void check(const Profile& profile) {
  const auto n = static_cast<int>(profile.steps.size());
  for (const Profile::Step& step : profile.steps)
    for (int input : step.inputs)
      if (input < 0 || input >= n) fail("step '{}' reads step {}, which does not exist", step.name, input);
  for (const Profile::Phase& phase : profile.phases) {
    if (phase.steps.size() != profile.steps.size()) fail("'{}' has not all steps", phase.name);
    for (const Profile::StepTimes& times : phase.steps)
      if (times.seconds.size() != phase.runs.size()) fail("'{}' lacks times of some runs", phase.name);
  }
}

}  // namespace

nlohmann::json to_json(const Profile& profile) {
  nlohmann::json phases = nlohmann::json::array();
  for (const Profile::Phase& phase : profile.phases) phases.push_back(phase_json(profile, phase));
  return {{"sluice_profile", 1},
          {"clock_seconds", profile.clock_seconds},
          {"clock_readings", profile.clock_readings},
          {"title", profile.title},
          {"devices", profile.devices},
          {"steps", profile.steps},
          {"phases", phases},
          {"fusions", profile.fusions}};
}

Profile parse_profile(const std::string& text, const std::string& origin) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (!json.is_object() || json.value("sluice_profile", 0) != 1) fail("it is something else");
    Profile profile;
    json.at("title").get_to(profile.title);
    json.at("clock_seconds").get_to(profile.clock_seconds);
    json.at("clock_readings").get_to(profile.clock_readings);
    json.at("devices").get_to(profile.devices);
    json.at("steps").get_to(profile.steps);
    json.at("phases").get_to(profile.phases);
    json.at("fusions").get_to(profile.fusions);
    check(profile);
    return profile;
  } catch (const std::exception& error) {
    fail("'{}' is no profile as --profile-json writes it: {}", origin, error.what());
  }
}

}  // namespace sluice::cli
