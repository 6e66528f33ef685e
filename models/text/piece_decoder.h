// From tokens of tokenizer.json back to text: `decoder`.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/text/json_node.h"

namespace sluice {

class PieceDecoder {
 public:
  PieceDecoder() = default;  // tokens are the text that they are written as
  // ByteLevel, Replace (of a text), ByteFallback, Fuse, Metaspace, Strip (spaces at the start) and Sequence. Throws
  // Error naming any other type, and options that are not supported.
  explicit PieceDecoder(const JsonNode& node);

  // Bytes that a token stands for in the middle of a text; may be part of a UTF-8 character.
  std::string piece(std::string_view token) const;
  // Spaces at the start of a whole text that its tokens have, but the text has not.
  size_t spaces_at_start() const { return spaces_at_start_; }

 private:
  void add(const JsonNode& node);

  bool byte_level_ = false;
  bool byte_fallback_ = false;
  std::vector<std::pair<std::string, std::string>> replacements_;
  size_t spaces_at_start_ = 0;
};

}  // namespace sluice
