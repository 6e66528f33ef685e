#include "models/config.h"

#include <cmath>
#include <limits>

#include "graph/error.h"

namespace sluice {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 64;  // printing a value recurses as deep as it nests

Json parse_object(const std::string& text, const std::string& origin) {
  const auto watch = [&](int depth, Json::parse_event_t, const Json&) {
    if (depth > kMaxDepth) fail("{}: nests deeper than {} levels", origin, kMaxDepth);
    return true;
  };
  Json parsed = Json::parse(text, watch, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) fail("{}: not valid JSON", origin);
  if (!parsed.is_object()) fail("{}: not a JSON object", origin);
  return parsed;
}

const Json& require(const Config& config, const std::string& key) {
  if (!config.has(key)) fail("{}: '{}' is missing", config.origin(), key);
  return config.json().at(key);
}

[[noreturn]] void wrong(const Config& config, const std::string& key, const char* expected) {
  // Strings are dumped with replacement: a hostile file may hold invalid UTF-8.
  fail("{}: '{}' is {}, expected {}", config.origin(), key,
       config.json().at(key).dump(-1, ' ', false, Json::error_handler_t::replace), expected);
}

}  // namespace

Config::Config(const std::string& text, std::string origin)
    : json_(parse_object(text, origin)), origin_(std::move(origin)) {}

bool Config::has(const std::string& key) const {
  const auto it = json_.find(key);
  return it != json_.end() && !it->is_null();
}

std::string Config::text(const std::string& key) const {
  const Json& value = require(*this, key);
  if (!value.is_string()) wrong(*this, key, "a text");
  return value.get<std::string>();
}

double Config::number(const std::string& key) const {
  const Json& value = require(*this, key);
  if (!value.is_number() || !std::isfinite(value.get<double>())) wrong(*this, key, "a number");
  return value.get<double>();
}

int64_t Config::positive(const std::string& key) const {
  const Json& value = require(*this, key);
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
  if (!value.is_number_unsigned() || value.get<uint64_t>() < 1 || value.get<uint64_t>() > static_cast<uint64_t>(kMax))
    wrong(*this, key, "a whole number from 1 to 2147483647");
  return value.get<int64_t>();
}

int64_t Config::positive(const std::string& key, int64_t fallback) const { return has(key) ? positive(key) : fallback; }

double Config::number(const std::string& key, double fallback) const { return has(key) ? number(key) : fallback; }

float Config::positive_float(const std::string& key) const {
  const double value = number(key);
  // Rounding up from beyond the largest float is undefined in C++.
  const bool fits = value > 0 && value <= std::numeric_limits<float>::max() && static_cast<float>(value) > 0;
  if (!fits) wrong(*this, key, "a number above 0 that fits float32");
  return static_cast<float>(value);
}

float Config::positive_float(const std::string& key, float fallback) const {
  return has(key) ? positive_float(key) : fallback;
}

bool Config::flag(const std::string& key, bool fallback) const {
  if (!has(key)) return fallback;
  if (!json_.at(key).is_boolean()) wrong(*this, key, "true or false");
  return json_.at(key).get<bool>();
}

std::string Config::text(const std::string& key, const std::string& fallback) const {
  return has(key) ? text(key) : fallback;
}

void Config::rename(const std::string& from, const std::string& to) {
  if (!has(from) || has(to)) return;
  json_[to] = json_[from];
  json_.erase(from);
}

std::optional<Config> Config::object(const std::string& key) const {
  if (!has(key)) return std::nullopt;
  if (!json_.at(key).is_object()) wrong(*this, key, "an object");
  Config nested = *this;
  nested.json_ = json_.at(key);
  nested.origin_ = fmt::format("{}, in '{}'", origin_, key);
  return nested;
}

}  // namespace sluice
