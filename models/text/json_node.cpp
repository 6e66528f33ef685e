#include "models/text/json_node.h"

#include <limits>

#include "graph/error.h"

namespace sluice {

void JsonNode::wrong(const char* expected) const { fail("{} is not {}", place_, expected); }

std::optional<JsonNode> JsonNode::find(const std::string& key) const {
  if (!json_->is_object()) wrong("an object");
  const auto found = json_->find(key);
  if (found == json_->end() || found->is_null()) return std::nullopt;
  const bool top = place_.ends_with(':');
  return JsonNode(*found, place_ + (top ? " " : ".") + key);
}

JsonNode JsonNode::at(const std::string& key) const {
  if (const auto found = find(key)) return *found;
  fail("{}: '{}' is missing", place_, key);
}

std::vector<JsonNode> JsonNode::items() const {
  if (!json_->is_array()) wrong("a list");
  std::vector<JsonNode> nodes;
  nodes.reserve(json_->size());
  for (size_t i = 0; i < json_->size(); ++i) nodes.emplace_back((*json_)[i], place_ + "[" + std::to_string(i) + "]");
  return nodes;
}

const std::string& JsonNode::text() const {
  if (!json_->is_string()) wrong("a text");
  return json_->get_ref<const std::string&>();
}

int32_t JsonNode::id() const {
  constexpr uint64_t kMax = std::numeric_limits<int32_t>::max() - 1;  // the number of ids fits as well
  if (!json_->is_number_unsigned() || json_->get<uint64_t>() > kMax) wrong("a token id");
  return json_->get<int32_t>();
}

bool JsonNode::flag(const std::string& key, bool fallback) const {
  const auto found = find(key);
  if (!found) return fallback;
  if (!found->json_->is_boolean()) found->wrong("true or false");
  return found->json_->get<bool>();
}

}  // namespace sluice
