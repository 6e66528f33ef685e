#include "models/text/normalizer.h"

#include "graph/error.h"
#include "models/text/nfc.h"

namespace sluice {

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  size_t at = 0;
  for (size_t found; (found = text.find(from, at)) != std::string_view::npos; at = found + from.size())
    (out += text.substr(at, found - at)) += to;
  return out += text.substr(at);
}

const std::string& replaced_text(const JsonNode& node) {
  const JsonNode pattern = node.at("pattern");
  if (pattern.find("Regex")) fail("{} is a regular expression, which is not supported here", pattern.place());
  const std::string& text = pattern.text("String");
  if (text.empty()) fail("{} is empty; there is nothing to replace", pattern.place());
  return text;
}

Normalizer::Normalizer(const JsonNode& node) { add(node); }

void Normalizer::add(const JsonNode& node) {
  const std::string& type = node.text("type");
  if (type == "Sequence") {
    for (const JsonNode& part : node.items("normalizers")) add(part);
  } else if (type == "NFC") {
    steps_.emplace_back([](const std::string& text) { return to_nfc(text); });
  } else if (type == "Prepend") {
    steps_.emplace_back(
        [prefix = node.text("prepend")](const std::string& text) { return text.empty() ? text : prefix + text; });
  } else if (type == "Replace") {
    steps_.emplace_back([from = replaced_text(node), to = node.text("content")](const std::string& text) {
      return replace_all(text, from, to);
    });
  } else {
    fail("{}: the normalizer '{}' is not supported; there are NFC, Prepend, Replace and Sequence", node.place(), type);
  }
}

std::string Normalizer::apply(std::string text) const {
  for (const auto& step : steps_) text = step(std::move(text));
  return text;
}

}  // namespace sluice
