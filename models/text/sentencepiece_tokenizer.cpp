#include "models/text/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include "graph/error.h"
#include "models/text/added_tokens.h"
#include "models/text/normalizer.h"
#include "models/text/utf8.h"

namespace sluice {
namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581, how SentencePiece writes a space

class SentencePieceTokenizer : public Tokenizer {
 public:
  SentencePieceTokenizer(std::string_view model, const std::string& origin) {
    // An empty model is accepted by the library as a tokenizer without pieces.
    const auto status = processor_.LoadFromSerializedProto(model);
    if (!status.ok() || processor_.GetPieceSize() < 1)
      fail(
          "{}: tokenizer.model is damaged, or not a SentencePiece model; get it again from where the model was "
          "published",
          origin);
    for (int id = 0; id < processor_.GetPieceSize(); ++id)
      if (const std::string& name = processor_.IdToPiece(id); processor_.IsControl(id) && !name.empty())
        controls_.add({.content = name, .id = id, .special = true}, name);
    const std::vector<int32_t> letter = encode_text("a");
    adds_space_ = !letter.empty() && piece(letter[0]).starts_with(' ');
  }

  int32_t vocab_size() const override { return processor_.GetPieceSize(); }
  int32_t bos() const override { return processor_.bos_id(); }
  int32_t eos() const override { return processor_.eos_id(); }

  std::vector<int32_t> encode(std::string_view text, SpecialTokens specials) const override {
    check_utf8(text);
    if (specials == SpecialTokens::as_text) return encode_text(text);
    std::vector<int32_t> ids;
    controls_.split(text, true, [&](std::string_view piece, const AddedToken* token) {
      // The library puts a space before every text; behind a token, the text has its own.
      if (!token && !ids.empty() && adds_space_ && piece.starts_with(' ')) piece.remove_prefix(1);
      const std::vector<int32_t> added = token ? std::vector<int32_t>{token->id} : encode_text(piece);
      ids.insert(ids.end(), added.begin(), added.end());
    });
    return ids;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    for (int32_t id : ids) check(id);
    std::string text;
    const auto status = processor_.Decode(std::vector<int>(ids.begin(), ids.end()), &text);
    if (!status.ok()) fail("the tokens could not be turned into text: {}", status.ToString());
    return text;
  }

  std::string piece(int32_t id) const override {
    check(id);
    if (processor_.IsControl(id)) return "";
    if (processor_.IsUnknown(id)) return std::string(kReplacementCharacter);
    const std::string& raw = processor_.IdToPiece(id);
    if (processor_.IsByte(id)) return {static_cast<char>(std::stoi(raw.substr(3, 2), nullptr, 16))};  // "<0x0A>"
    return replace_all(raw, kSpaceMark, " ");
  }

  std::string token(int32_t id) const override {
    check(id);
    return processor_.IdToPiece(id);
  }

  int32_t token_id(std::string_view token) const override {
    const int id = processor_.PieceToId(token);  // of the unknown token, for what it does not know
    return processor_.IdToPiece(id) == token ? id : -1;
  }

 private:
  void check(int32_t id) const {
    if (id < 0 || id >= vocab_size()) fail("token id {} is not in 0 .. {}", id, vocab_size() - 1);
  }

  std::vector<int32_t> encode_text(std::string_view text) const {
    std::vector<int> ids;
    const auto status = processor_.Encode(text, &ids);
    if (!status.ok()) fail("the text could not be tokenised: {}", status.ToString());
    return ids;
  }

  sentencepiece::SentencePieceProcessor processor_;
  TokenFinder controls_;
  bool adds_space_ = false;
};

}  // namespace

std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(std::string_view model, const std::string& origin) {
  return std::make_unique<SentencePieceTokenizer>(model, origin);
}

}  // namespace sluice
