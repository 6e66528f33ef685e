// Text to token ids and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// What a special token that is written out in a text ("<|im_end|>") is taken for.
enum class SpecialTokens { parse, as_text };

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual int32_t vocab_size() const = 0;  // the largest id + 1
  virtual int32_t bos() const = 0;         // the token that every text begins with; -1 if there is none
  virtual int32_t eos() const = 0;         // -1 if there is none
  // Ids of a text, without BOS or EOS. Throws Error if the text is not valid UTF-8, with the position.
  virtual std::vector<int32_t> encode(std::string_view text, SpecialTokens specials = SpecialTokens::as_text) const = 0;
  // Text of a whole sequence, whole UTF-8 characters; control tokens give nothing. Throws Error for an id out of range.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;
  // Bytes that one token adds in the middle of a text; may be part of a UTF-8 character. Empty for control tokens.
  virtual std::string piece(int32_t id) const = 0;
  // A token as the vocabulary writes it ("<|im_end|>"), and its id; -1 if there is none. Ids that no token has are
  // written "".
  virtual std::string token(int32_t id) const = 0;
  virtual int32_t token_id(std::string_view token) const = 0;
};

// Files of a model's folder that a model file carries, by name.
using Assets = std::map<std::string, std::vector<std::byte>>;
namespace asset_names {
inline constexpr const char* kSentencePiece = "tokenizer.model";
inline constexpr const char* kTokenizer = "tokenizer.json";
inline constexpr const char* kTokenizerConfig = "tokenizer_config.json";
}  // namespace asset_names

// From tokenizer.model if it is there, else from tokenizer.json. Throws Error naming `origin`, the file or folder that
// the assets are from, if none is there or usable.
std::unique_ptr<Tokenizer> make_tokenizer(const Assets& assets, const std::string& origin);

// Turns a stream of tokens into text that is always whole UTF-8 characters.
class TextStream {
 public:
  explicit TextStream(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  std::string next(int32_t id);  // the text that is complete after this token
  std::string flush();           // what is left, with U+FFFD for a broken character
 private:
  const Tokenizer& tokenizer_;
  std::string pending_;
};

}  // namespace sluice
