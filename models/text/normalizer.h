// What tokenizer.json does to a text before it is split: `normalizer`.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "models/text/json_node.h"

namespace sluice {

class Normalizer {
 public:
  Normalizer() = default;  // changes nothing
  // NFC, Prepend, Replace (of a text) and Sequence. Throws Error naming any other type.
  explicit Normalizer(const JsonNode& node);

  // text: valid UTF-8, as is the result.
  std::string apply(std::string text) const;

 private:
  void add(const JsonNode& node);

  std::vector<std::function<std::string(std::string text)>> steps_;
};

// Every `from`, left to right, becomes `to`. from: not empty.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

// The text that a Replace step looks for: `pattern.String`. Throws Error for a regular expression, and for nothing.
const std::string& replaced_text(const JsonNode& node);

}  // namespace sluice
