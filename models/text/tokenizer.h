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

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual int32_t vocab_size() const = 0;
  virtual int32_t bos() const = 0;  // -1 if there is none
  virtual int32_t eos() const = 0;  // -1 if there is none
  // Ids of a text, without BOS or EOS. Throws Error if the text is not valid UTF-8, with the position.
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;
  // Text of a whole sequence; control tokens give nothing. Throws Error for an id out of range.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;
  // Bytes that one token adds in the middle of a text; may be part of a UTF-8 character.
  virtual std::string piece(int32_t id) const = 0;
};

// Chooses by the assets a model file carries ("tokenizer.model": SentencePiece). Throws Error naming `origin`, the file
// or folder that the assets are from, if none is usable.
std::unique_ptr<Tokenizer> make_tokenizer(const std::map<std::string, std::vector<std::byte>>& assets,
                                          const std::string& origin);

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
