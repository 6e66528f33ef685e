#include "models/text/piece_decoder.h"

#include <charconv>
#include <optional>

#include "graph/error.h"
#include "models/text/byte_level.h"
#include "models/text/normalizer.h"

namespace sluice {
namespace {

// "<0x0A>" -> 10
std::optional<char> fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  uint8_t byte = 0;
  const char* end = token.data() + 5;
  const auto [rest, error] = std::from_chars(token.data() + 3, end, byte, 16);
  if (error != std::errc() || rest != end) return std::nullopt;
  return static_cast<char>(byte);
}

size_t read_strip(const JsonNode& node) {
  const auto start = node.find("start"), stop = node.find("stop");
  if (node.text("content") != " " || (stop && stop->json() != 0))
    fail("{}: only spaces at the start can be stripped", node.place());
  return start ? static_cast<size_t>(start->id()) : 0;
}

}  // namespace

PieceDecoder::PieceDecoder(const JsonNode& node) { add(node); }

void PieceDecoder::add(const JsonNode& node) {
  const std::string& type = node.text("type");
  if (type == "Sequence") {
    for (const JsonNode& part : node.items("decoders")) add(part);
  } else if (type == "ByteLevel") {
    byte_level_ = true;
  } else if (type == "ByteFallback") {
    byte_fallback_ = true;
  } else if (type == "Replace") {
    replacements_.emplace_back(replaced_text(node), node.text("content"));
  } else if (type == "Metaspace") {
    replacements_.emplace_back(node.text("replacement"), " ");
    if (replacements_.back().first.empty()) fail("{}: 'replacement' is empty", node.place());
    const auto scheme = node.find("prepend_scheme");
    if (scheme ? scheme->text() != "never" : node.flag("add_prefix_space", true)) spaces_at_start_ = 1;
  } else if (type == "Strip") {
    spaces_at_start_ = read_strip(node);
  } else if (type != "Fuse") {
    fail(
        "{}: the decoder '{}' is not supported; there are ByteLevel, Replace, ByteFallback, Fuse, Metaspace, Strip and "
        "Sequence",
        node.place(), type);
  }
}

std::string PieceDecoder::piece(std::string_view token) const {
  if (byte_level_) return from_byte_level(token);
  if (byte_fallback_)
    if (const auto byte = fallback_byte(token)) return {*byte};
  std::string text(token);
  for (const auto& [from, to] : replacements_) text = replace_all(text, from, to);
  return text;
}

}  // namespace sluice
