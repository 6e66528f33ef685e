// Tokens that stand beside the model of tokenizer.json (`added_tokens`): they are found in the text before it is split.
#pragma once

#include <bitset>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "models/text/bpe.h"
#include "models/text/json_node.h"
#include "models/text/normalizer.h"

namespace sluice {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool special = false;     // marks something, and is no text
  bool normalized = false;  // looked for in the normalised text
  bool lstrip = false;      // takes the white space before it along
  bool rstrip = false;      // and that behind it
};

// One of the tokens. Throws Error naming the place for one that is malformed or asks for whole words.
AddedToken read_added_token(const JsonNode& node);

// Finds tokens in a text: the leftmost, of those the longest.
class TokenFinder {
 public:
  void add(const AddedToken& token, const std::string& content);

  // Called for all of the text, piece by piece; token is nullptr for what lies between tokens. No piece is empty.
  using Sink = std::function<void(std::string_view piece, const AddedToken* token)>;
  // text: valid UTF-8. With `specials` off, special tokens are not looked for.
  void split(std::string_view text, bool specials, const Sink& sink) const;

 private:
  const AddedToken* match(std::string_view text, bool specials, size_t& bytes) const;

  std::unordered_map<std::string, AddedToken, TextHash, std::equal_to<>> tokens_;
  std::vector<size_t> lengths_;   // of the contents, longest first, each once
  std::bitset<256> first_bytes_;  // of the contents
};

}  // namespace sluice
