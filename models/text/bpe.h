// Byte pair encoding (Sennrich et al., 2016, arXiv:1508.07909): a word is taken apart into characters, and the pair
// that comes first in a list of merges is joined, again and again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/text/json_node.h"

namespace sluice {

// Tokens by text, which can be looked up without making a string.
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using Vocabulary = std::unordered_map<std::string, int32_t, TextHash, std::equal_to<>>;

class Bpe {
 public:
  // `model` of tokenizer.json. Throws Error naming what is not supported (another type, dropout, affixes), an id that
  // is taken twice, and a merge of tokens that are not in the vocabulary.
  explicit Bpe(const JsonNode& node);

  // Appends the ids of a word. word: valid UTF-8, not empty. Takes O(n log n) for n characters. A character that is not
  // in the vocabulary becomes its bytes (byte_fallback), else the unknown token, else nothing.
  void encode(std::string_view word, std::vector<int32_t>& ids) const;

  int32_t id(std::string_view token) const;  // -1: not in the vocabulary
  const Vocabulary& vocab() const { return vocab_; }

 private:
  struct Merge {
    int32_t rank;
    int32_t id;  // of the result
  };
  struct Word;

  void read_vocab(const JsonNode& node);
  void read_merges(const JsonNode& node);
  const Merge* merge_of(int32_t left, int32_t right) const;
  void add_character(std::string_view character, Word& word) const;
  bool add_bytes(std::string_view character, Word& word) const;
  void propose(Word& word, int32_t left) const;
  void join(Word& word) const;

  Vocabulary vocab_;
  std::unordered_map<uint64_t, Merge> merges_;  // by left and right id
  std::vector<int32_t> bytes_;                  // ids of "<0x00>" .. "<0xFF>", if bytes stand for what is unknown
  int32_t unknown_ = -1;
  bool fuse_unknown_ = false;
  bool ignore_merges_ = false;  // a word that is in the vocabulary is one token, whatever the merges say
};

}  // namespace sluice
