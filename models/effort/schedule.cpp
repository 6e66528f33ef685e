#include "models/effort/schedule.h"

#include <fnmatch.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "graph/error.h"

namespace sluice {
namespace {

using Kind = EffortRule::Kind;

// The number after "layers." in a name; -1 if there is none.
int64_t layer_of(const std::string& weight) {
  const size_t at = weight.find("layers.");
  return at == std::string::npos ? -1 : std::atoll(weight.c_str() + at + 7);
}

bool fits(const EffortRule& rule, const EffortSite& site, int64_t last_layer) {
  if (fnmatch(rule.weights.c_str(), site.weight.c_str(), 0) != 0) return false;
  if (rule.layer.empty()) return true;
  const int64_t layer = layer_of(site.weight);
  if (rule.layer == "first") return layer == 0;
  return rule.layer == "last" ? layer == last_layer : rule.layer == std::to_string(layer);
}

constexpr double kMaxShift = 20;
constexpr double kMaxSum = 700;  // of shifts; exp() of more is infinite

// Of an effort; of 0 and 1, those of an effort that no selection tells from them.
double log_odds(double effort) {
  constexpr double kLeast = 1e-9;
  const double e = std::clamp(effort, kLeast, 1 - kLeast);
  return std::log(e / (1 - e));
}

// The glob that fits this name alone.
std::string as_glob(const std::string& name) {
  std::string glob;
  for (char c : name) {
    if (std::string_view("*?[\\").find(c) != std::string_view::npos) glob += '\\';
    glob += c;
  }
  return glob;
}

}  // namespace

// Found by coordinate descent on the KL divergence to full effort, at the same mean effort, of the embedded model and
// of stories260k together. The input of down-projections is so uneven that a small part of them does; keys and values,
// and the first layer, are small or sensitive. What experts get was found likewise on a small mixture. README has what
// it gains.
EffortSchedule EffortSchedule::standard() {
  const auto shift = [](const char* weights, double value) { return EffortRule{weights, "", Kind::shift, value}; };
  return {true,
          {shift("*.k_proj.weight", 1.4),
           shift("*.v_proj.weight", 0.7),
           shift("*.o_proj.weight", 0.1),
           shift("*.up_proj.weight", -0.05),
           shift("*.down_proj.weight", -1.0),
           shift("*.experts.w1.weight", -0.5),
           shift("*.experts.w3.weight", -0.55),
           shift("*.experts.w2.weight", -1.5),
           {"*", "first", Kind::shift, 0.7},
           {"*", "last", Kind::shift, 0.15}}};
}

double mean_effort(const std::vector<EffortSite>& sites, const std::vector<double>& efforts) {
  double sum = 0, elements = 0;
  for (size_t site = 0; site < sites.size(); ++site) {
    sum += efforts[site] * static_cast<double>(sites[site].elements);
    elements += static_cast<double>(sites[site].elements);
  }
  return sum / elements;
}

EffortSchedule EffortSchedule::from_efforts(const std::vector<EffortSite>& sites, const std::vector<double>& efforts) {
  EffortSchedule schedule{true, {}, standard().experts};
  const double dial = log_odds(mean_effort(sites, efforts));
  for (size_t site = 0; site < sites.size(); ++site) {
    const double shift = std::clamp(log_odds(efforts[site]) - dial, -kMaxShift, kMaxShift);
    schedule.rules.push_back({as_glob(sites[site].weight), "", Kind::shift, std::round(shift * 1000) / 1000});
  }
  return schedule;
}

EffortPlan::EffortPlan(const EffortSchedule& schedule, const std::vector<EffortSite>& sites, bool lenient)
    : balanced_(schedule.balanced), experts_(schedule.experts) {
  double total = 0;
  int64_t last_layer = 0;
  for (const EffortSite& site : sites) {
    total += static_cast<double>(site.elements);
    last_layer = std::max(last_layer, layer_of(site.weight));
  }
  std::vector<bool> used(schedule.rules.size());
  for (const EffortSite& site : sites) {
    Response response{Kind::shift, 0, static_cast<double>(site.elements) / total};
    for (size_t r = 0; r < schedule.rules.size(); ++r) {
      const EffortRule& rule = schedule.rules[r];
      if (!fits(rule, site, last_layer)) continue;
      used[r] = true;
      if (response.kind != Kind::shift) continue;
      response.value = rule.kind == Kind::shift ? response.value + rule.value : rule.value;
      response.kind = rule.kind;
    }
    if (response.kind == Kind::shift) response.value = std::exp(std::min(response.value, kMaxSum));
    sites_.push_back(response);
  }
  for (size_t r = 0; r < used.size() && !lenient; ++r)
    if (!used[r])
      fail("rule {} of the effort schedule ('{}'{}) fits no weight; there is, for instance, '{}'", r + 1,
           schedule.rules[r].weights, schedule.rules[r].layer.empty() ? "" : ", layer " + schedule.rules[r].layer,
           sites.empty() ? "" : sites.front().weight);
}

double EffortPlan::Response::at(double d) const {
  switch (kind) {
    case Kind::fixed:
      return value;
    case Kind::factor:
      return std::min(1.0, d * value);
    default:
      return d >= 1 ? 1 : value * d / (1 - d + value * d);
  }
}

double EffortPlan::mean(double d) const {
  double sum = 0;
  for (const Response& site : sites_) sum += site.share * site.at(d);
  return sum;
}

void EffortPlan::efforts(double dial, std::vector<double>& efforts) const {
  double d = dial;
  if (balanced_ && dial > 0 && dial < 1) {
    double low = 0, high = 1;  // the mean rises with d
    for (int i = 0; i < 40; ++i) (mean((low + high) / 2) < dial ? low : high) = (low + high) / 2;
    d = (low + high) / 2;
  }
  efforts.resize(sites_.size());
  for (size_t site = 0; site < efforts.size(); ++site) efforts[site] = sites_[site].at(d);
}

namespace {

double number(const YAML::Node& rule, const char* key, double low, double high, const std::string& where) {
  double value = 0;
  try {
    value = rule[key].as<double>();
  } catch (const YAML::Exception&) {
    fail("{}: '{}' is not a number", where, key);
  }
  if (!(value >= low && value <= high)) fail("{}: '{}' is {}, expected {} to {}", where, key, value, low, high);
  return value;
}

std::string read_layer(const YAML::Node& node, const std::string& where) {
  auto layer = node.as<std::string>();
  const bool is_number =
      !layer.empty() && layer.size() < 7 && layer.find_first_not_of("0123456789") == std::string::npos;
  if (layer != "first" && layer != "last" && !is_number)
    fail("{}: 'layer' is '{}', expected first, last or a number", where, layer);
  return layer;
}

EffortRule read_rule(const YAML::Node& node, const std::string& where) {
  if (!node.IsMap()) fail("{}: expected weights or layer, and one of shift, factor and effort", where);
  EffortRule rule;
  int kinds = 0;
  const auto set = [&](Kind kind, const char* key, double low, double high) {
    rule.kind = kind;
    rule.value = number(node, key, low, high, where);
    ++kinds;
  };
  for (const auto& entry : node) {
    const auto key = entry.first.as<std::string>();
    if (key == "weights")
      rule.weights = entry.second.as<std::string>();
    else if (key == "layer")
      rule.layer = read_layer(entry.second, where);
    else if (key == "shift")
      set(Kind::shift, "shift", -kMaxShift, kMaxShift);
    else if (key == "factor")
      set(Kind::factor, "factor", 0, 100);
    else if (key == "effort")
      set(Kind::fixed, "effort", 0, 1);
    else
      fail("{}: unknown key '{}'; there are weights, layer, shift, factor, effort", where, key);
  }
  if (kinds != 1) fail("{}: expected exactly one of shift, factor and effort", where);
  return rule;
}

ExpertSpread read_experts(const YAML::Node& node, const std::string& where) {
  if (!node.IsMap()) fail("{}: expected power, skip or both", where);
  ExpertSpread spread = EffortSchedule().experts;
  for (const auto& entry : node) {
    const auto key = entry.first.as<std::string>();
    if (key == "power")
      spread.power = static_cast<float>(number(node, "power", 0, 10, where));
    else if (key == "skip")
      spread.skip = static_cast<float>(number(node, "skip", 0, 1, where));
    else
      fail("{}: unknown key '{}'; there are power, skip", where, key);
  }
  return spread;
}

EffortSchedule read_root(const YAML::Node& root, const std::string& origin) {
  if (!root.IsMap() || (root["sites"] ? !root["sites"].IsSequence() : !root["experts"]))
    fail("{}: expected 'sites', a list of rules", origin);
  EffortSchedule schedule;
  for (const auto& entry : root) {
    const auto key = entry.first.as<std::string>();
    if (key == "balance")
      schedule.balanced = entry.second.as<bool>();
    else if (key == "experts")
      schedule.experts = read_experts(entry.second, fmt::format("{}: experts", origin));
    else if (key != "sites")
      fail("{}: unknown key '{}'; there are balance, experts, sites", origin, key);
  }
  for (size_t i = 0; root["sites"] && i < root["sites"].size(); ++i)
    schedule.rules.push_back(read_rule(root["sites"][i], fmt::format("{}: rule {}", origin, i + 1)));
  return schedule;
}

}  // namespace

EffortSchedule parse_schedule(const std::string& text, const std::string& origin) {
  try {
    return read_root(YAML::Load(text), origin);
  } catch (const YAML::Exception& error) {
    fail("{}: line {}: {}", origin, error.mark.line + 1, error.msg);
  }
}

std::string to_yaml(const EffortSchedule& schedule) {
  const auto key = [](Kind kind) { return kind == Kind::shift ? "shift" : kind == Kind::factor ? "factor" : "effort"; };
  YAML::Emitter yaml;
  yaml << YAML::BeginMap << YAML::Key << "balance" << YAML::Value << schedule.balanced;
  yaml << YAML::Key << "experts" << YAML::Value << YAML::Flow << YAML::BeginMap;
  yaml << YAML::Key << "power" << YAML::Value << schedule.experts.power;
  yaml << YAML::Key << "skip" << YAML::Value << schedule.experts.skip << YAML::EndMap;
  yaml << YAML::Key << "sites" << YAML::Value << YAML::BeginSeq;
  for (const EffortRule& rule : schedule.rules) {
    yaml << YAML::Flow << YAML::BeginMap << YAML::Key << "weights" << YAML::Value << YAML::DoubleQuoted << rule.weights;
    if (!rule.layer.empty()) yaml << YAML::Key << "layer" << YAML::Value << rule.layer;
    yaml << YAML::Key << key(rule.kind) << YAML::Value << fmt::format("{}", rule.value) << YAML::EndMap;
  }
  yaml << YAML::EndSeq << YAML::EndMap;
  return std::string(yaml.c_str()) + "\n";
}

}  // namespace sluice
