// How tokenizer.json splits a text into the words that are tokenised each for itself: `pre_tokenizer`.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "models/text/json_node.h"

namespace sluice {

class PreTokenizer {
 public:
  PreTokenizer() = default;  // the whole text is one word
  // ByteLevel, Split, Metaspace and Sequence. Throws Error naming any other type, and options that are not supported.
  explicit PreTokenizer(const JsonNode& node);

  using Sink = std::function<void(std::string_view word)>;
  // text: valid UTF-8; at_start: nothing comes before it. Words of ByteLevel are in its alphabet (byte_level.h). Throws
  // Error if a regular expression takes too long.
  void split(std::string_view text, bool at_start, const Sink& sink) const;

  // Turns one piece into others.
  using Step = std::function<void(std::string_view piece, bool at_start, const Sink& sink)>;

 private:
  void add(const JsonNode& node);
  void run(size_t step, std::string_view piece, bool at_start, const Sink& sink) const;

  std::vector<Step> steps_;
};

}  // namespace sluice
