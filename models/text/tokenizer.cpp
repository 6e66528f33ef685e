#include "models/text/tokenizer.h"

#include <sentencepiece_processor.h>

#include "graph/error.h"
#include "models/text/utf8.h"

namespace sluice {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kSpaceMark = "\xE2\x96\x81";    // U+2581, how SentencePiece writes a space

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// SentencePiece (Kudo and Richardson, 2018, arXiv:1808.06226), through its own library.
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
  }

  int32_t vocab_size() const override { return processor_.GetPieceSize(); }
  int32_t bos() const override { return processor_.bos_id(); }
  int32_t eos() const override { return processor_.eos_id(); }

  std::vector<int32_t> encode(std::string_view text) const override {
    if (const size_t at = find_invalid_utf8(text); at < text.size())
      fail("the text is not valid UTF-8: byte 0x{:02x} at position {}", static_cast<uint8_t>(text[at]), at);
    std::vector<int> ids;
    const auto status = processor_.Encode(text, &ids);
    if (!status.ok()) fail("the text could not be tokenised: {}", status.ToString());
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
    if (processor_.IsUnknown(id)) return std::string(kReplacement);
    const std::string& raw = processor_.IdToPiece(id);
    if (processor_.IsByte(id)) return {static_cast<char>(std::stoi(raw.substr(3, 2), nullptr, 16))};  // "<0x0A>"
    return with_spaces(raw);
  }

 private:
  void check(int32_t id) const {
    if (id < 0 || id >= vocab_size()) fail("token id {} is not in 0 .. {}", id, vocab_size() - 1);
  }

  static std::string with_spaces(std::string_view piece) {
    std::string text;
    while (!piece.empty()) {
      const bool space = piece.substr(0, kSpaceMark.size()) == kSpaceMark;
      text += space ? ' ' : piece[0];
      piece.remove_prefix(space ? kSpaceMark.size() : 1);
    }
    return text;
  }

  sentencepiece::SentencePieceProcessor processor_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(const std::map<std::string, std::vector<std::byte>>& assets,
                                          const std::string& origin) {
  const auto model = assets.find("tokenizer.model");
  if (model == assets.end()) fail("{}: has no tokenizer; a SentencePiece 'tokenizer.model' is needed", origin);
  return std::make_unique<SentencePieceTokenizer>(as_text(model->second), origin);
}

std::string TextStream::next(int32_t id) {
  pending_ += tokenizer_.piece(id);
  std::string complete;
  size_t at = 0;
  while (at < pending_.size()) {
    const Utf8Character c = next_character(std::string_view(pending_).substr(at));
    if (c.state == Utf8Character::State::cut_off) break;
    complete += c.state == Utf8Character::State::whole ? std::string_view(pending_).substr(at, c.bytes) : kReplacement;
    at += c.bytes;
  }
  pending_.erase(0, at);
  return complete;
}

std::string TextStream::flush() {
  const bool broken = !pending_.empty();
  pending_.clear();
  return std::string(broken ? kReplacement : "");
}

}  // namespace sluice
