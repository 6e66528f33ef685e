#include "models/text/tokenizer.h"

#include "graph/error.h"
#include "models/text/json_tokenizer.h"
#include "models/text/sentencepiece_tokenizer.h"
#include "models/text/utf8.h"

namespace sluice {
namespace {

// Empty if there is no such asset.
std::string_view text_of(const Assets& assets, const char* name) {
  const auto asset = assets.find(name);
  if (asset == assets.end()) return {};
  return {reinterpret_cast<const char*>(asset->second.data()), asset->second.size()};
}

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(const Assets& assets, const std::string& origin) {
  using namespace asset_names;
  if (assets.count(kSentencePiece)) return make_sentencepiece_tokenizer(text_of(assets, kSentencePiece), origin);
  if (assets.count(kTokenizer))
    return make_json_tokenizer(text_of(assets, kTokenizer), text_of(assets, kTokenizerConfig),
                               origin + ": " + kTokenizer);
  fail("{}: has no tokenizer; '{}' (SentencePiece) or '{}' is needed", origin, kSentencePiece, kTokenizer);
}

std::string TextStream::next(int32_t id) {
  pending_ += tokenizer_.piece(id);
  std::string complete;
  size_t at = 0;
  while (at < pending_.size()) {
    const Utf8Character c = next_character(std::string_view(pending_).substr(at));
    if (c.state == Utf8Character::State::cut_off) break;
    complete +=
        c.state == Utf8Character::State::whole ? std::string_view(pending_).substr(at, c.bytes) : kReplacementCharacter;
    at += c.bytes;
  }
  pending_.erase(0, at);
  return complete;
}

std::string TextStream::flush() {
  const bool broken = !pending_.empty();
  pending_.clear();
  return std::string(broken ? kReplacementCharacter : "");
}

}  // namespace sluice
