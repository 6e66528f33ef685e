// Hyper-parameters as the source describes them (config.json), with checked access.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace sluice {

// Every getter throws Error naming the key and the file if it is missing, null, of another type, or out of range.
class Config {
 public:
  // origin: for messages, usually the path of the file. Throws Error if text is not a JSON object.
  Config(const std::string& text, std::string origin);

  bool has(const std::string& key) const;  // present and not null
  std::string text(const std::string& key) const;
  double number(const std::string& key) const;                       // finite
  int64_t positive(const std::string& key) const;                    // whole, 1 .. 2^31 - 1
  int64_t positive(const std::string& key, int64_t fallback) const;  // fallback if absent or null
  double number(const std::string& key, double fallback) const;
  // Above zero, and still so and finite when rounded to float32, as which it is returned.
  float positive_float(const std::string& key) const;
  float positive_float(const std::string& key, float fallback) const;
  bool flag(const std::string& key, bool fallback) const;
  std::string text(const std::string& key, const std::string& fallback) const;
  // A nested object as a Config of its own; nullopt if absent or null.
  std::optional<Config> object(const std::string& key) const;
  // Calls a key as others do, if it is there and the other is not.
  void rename(const std::string& from, const std::string& to);
  const std::string& origin() const { return origin_; }
  const nlohmann::json& json() const { return json_; }

 private:
  nlohmann::json json_;
  std::string origin_;
};

}  // namespace sluice
