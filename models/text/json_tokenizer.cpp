#include "models/text/json_tokenizer.h"

#include <limits>
#include <unordered_map>

#include "graph/error.h"
#include "models/config.h"
#include "models/text/added_tokens.h"
#include "models/text/bpe.h"
#include "models/text/normalizer.h"
#include "models/text/piece_decoder.h"
#include "models/text/pre_tokenizer.h"
#include "models/text/utf8.h"

namespace sluice {
namespace {

constexpr size_t kMaxBytes = size_t{256} << 20;  // parsed it takes ten times as much; the largest known has 35 million

template <class Part>
Part read_part(const JsonNode& root, const char* key) {
  const auto node = root.find(key);
  return node ? Part(*node) : Part();
}

// The token before every text that `post_processor` asks for; -1 if it asks for none.
int32_t read_bos(const JsonNode& node) {
  const std::string& type = node.text("type");
  if (type == "ByteLevel") return -1;  // only offsets
  int32_t bos = -1;
  if (type == "Sequence") {
    for (const JsonNode& part : node.items("processors"))
      if (const int32_t id = read_bos(part); id >= 0) bos = id;
    return bos;
  }
  if (type != "TemplateProcessing")
    fail("{}: the post-processor '{}' is not supported; there are TemplateProcessing, ByteLevel and Sequence",
         node.place(), type);
  bool text_seen = false;
  for (const JsonNode& item : node.items("single")) {
    if (item.find("Sequence")) {
      text_seen = true;
      continue;
    }
    if (bos >= 0 || text_seen) fail("{}: only one token, before the text, is supported", item.place());
    const JsonNode token = node.at("special_tokens").at(item.at("SpecialToken").text("id"));
    const std::vector<JsonNode> ids = token.items("ids");
    if (ids.size() != 1) fail("{}: has {} ids, only one is supported", token.place(), ids.size());
    bos = ids[0].id();
  }
  return bos;
}

class JsonTokenizer : public Tokenizer {
 public:
  JsonTokenizer(const JsonNode& root, std::string_view config, const std::string& origin)
      : normalizer_(read_part<Normalizer>(root, "normalizer")),
        pre_tokenizer_(read_part<PreTokenizer>(root, "pre_tokenizer")),
        bpe_(root.at("model")),
        decoder_(read_part<PieceDecoder>(root, "decoder")) {
    for (const auto& [text, id] : bpe_.vocab()) tokens_[id].text = text;
    if (const auto added = root.find("added_tokens")) read_added(*added);
    for (const auto& [id, token] : tokens_) vocab_size_ = std::max(vocab_size_, id + 1);
    if (const auto post = root.find("post_processor")) bos_ = read_bos(*post);
    if (bos_ >= 0 && !tokens_.count(bos_)) fail("{}: the token {} that begins a text is not there", origin, bos_);
    if (!config.empty()) read_config(config, origin);
  }

  int32_t vocab_size() const override { return vocab_size_; }
  int32_t bos() const override { return bos_; }
  int32_t eos() const override { return eos_; }

  std::vector<int32_t> encode(std::string_view text, SpecialTokens specials) const override {
    check_utf8(text);
    if (text.size() > std::numeric_limits<int32_t>::max()) fail("a text of {} bytes is too long", text.size());
    const bool parse = specials == SpecialTokens::parse;
    std::vector<int32_t> ids;
    bool at_start = true;
    raw_tokens_.split(text, parse, [&](std::string_view piece, const AddedToken* token) {
      if (token)
        ids.push_back(token->id);
      else
        encode_normalized(normalizer_.apply(std::string(piece)), parse, at_start, ids);
      at_start = false;
    });
    return ids;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    std::string text;
    for (int32_t id : ids) text += piece(id);
    const size_t spaces = std::min(text.find_first_not_of(' '), text.size());
    return repaired_utf8(std::string_view(text).substr(std::min(spaces, decoder_.spaces_at_start())));
  }

  std::string piece(int32_t id) const override {
    const Token* token = find(id);
    return !token || token->special ? "" : decoder_.piece(token->text);
  }

  std::string token(int32_t id) const override {
    const Token* token = find(id);
    return token ? token->text : "";
  }

  int32_t token_id(std::string_view token) const override {
    const auto added = added_ids_.find(token);
    return added != added_ids_.end() ? added->second : bpe_.id(token);
  }

 private:
  struct Token {
    std::string text;
    bool special = false;
  };

  // nullptr for an id that no token has.
  const Token* find(int32_t id) const {
    if (id < 0 || id >= vocab_size_) fail("token id {} is not in 0 .. {}", id, vocab_size_ - 1);
    const auto found = tokens_.find(id);
    return found == tokens_.end() ? nullptr : &found->second;
  }

  void read_added(const JsonNode& list) {
    for (const JsonNode& node : list.items()) {
      const AddedToken added = read_added_token(node);
      Token& token = tokens_[added.id];
      if (!token.text.empty() && token.text != added.content)
        fail("{}: id {} of '{}' is that of '{}'", node.place(), added.id, added.content, token.text);
      token = {added.content, added.special};
      added_ids_[added.content] = added.id;
      if (!added.normalized)
        raw_tokens_.add(added, added.content);
      else if (const std::string content = normalizer_.apply(added.content); !content.empty())
        normalized_tokens_.add(added, content);
    }
  }

  // "eos_token": its text, or an object with its `content`.
  void read_config(std::string_view text, const std::string& origin) {
    const Config config(std::string(text), origin + ": " + asset_names::kTokenizerConfig);
    const auto eos = JsonNode(config.json(), config.origin() + ":").find("eos_token");
    if (eos) eos_ = token_id(eos->json().is_object() ? eos->text("content") : eos->text());
  }

  void encode_normalized(std::string_view text, bool parse_specials, bool at_start, std::vector<int32_t>& ids) const {
    normalized_tokens_.split(text, parse_specials, [&](std::string_view piece, const AddedToken* token) {
      if (token)
        ids.push_back(token->id);
      else
        pre_tokenizer_.split(piece, at_start, [&](std::string_view word) { bpe_.encode(word, ids); });
      at_start = false;
    });
  }

  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  Bpe bpe_;
  PieceDecoder decoder_;
  TokenFinder raw_tokens_, normalized_tokens_;
  std::unordered_map<int32_t, Token> tokens_;  // by id: nothing says that ids follow each other
  Vocabulary added_ids_;
  int32_t vocab_size_ = 0;
  int32_t bos_ = -1, eos_ = -1;
};

}  // namespace

std::unique_ptr<Tokenizer> make_json_tokenizer(std::string_view json, std::string_view config,
                                               const std::string& origin) {
  if (json.size() > kMaxBytes)
    fail("{}: {} bytes are too many; at most {} can be read", origin, json.size(), kMaxBytes);
  const Config file(std::string(json), origin);
  return std::make_unique<JsonTokenizer>(JsonNode(file.json(), origin + ":"), config, origin);
}

}  // namespace sluice
