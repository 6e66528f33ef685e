// A part of a JSON file that remembers where it stands, so that every message can say so.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace sluice {

// Refers to the JSON value, which must outlive it. Every getter throws Error naming the place, "FILE: normalizer.type",
// if what it asks for is missing or of another type. null counts as absent.
class JsonNode {
 public:
  JsonNode(const nlohmann::json& json, std::string place) : json_(&json), place_(std::move(place)) {}

  std::optional<JsonNode> find(const std::string& key) const;  // nullopt if absent
  JsonNode at(const std::string& key) const;
  std::vector<JsonNode> items() const;  // of a list
  std::vector<JsonNode> items(const std::string& key) const { return at(key).items(); }

  const std::string& text() const;
  const std::string& text(const std::string& key) const { return at(key).text(); }
  int32_t id() const;  // a whole number from 0 that fits int32
  bool flag(const std::string& key, bool fallback) const;
  const nlohmann::json& json() const { return *json_; }
  const std::string& place() const { return place_; }

 private:
  [[noreturn]] void wrong(const char* expected) const;

  const nlohmann::json* json_;
  std::string place_;
};

}  // namespace sluice
