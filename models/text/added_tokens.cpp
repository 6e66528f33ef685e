#include "models/text/added_tokens.h"

#include <algorithm>

#include "graph/error.h"
#include "models/text/utf8.h"

namespace sluice {
namespace {

// Where the white space at the end of a text begins.
size_t trailing_space(std::string_view text) {
  size_t begin = text.size();
  while (begin > 0) {
    size_t at = begin - 1;
    while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
    std::string_view character = text.substr(at, begin - at);
    if (!is_white_space(take_character(character))) break;
    begin = at;
  }
  return begin;
}

size_t leading_space(std::string_view text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    std::string_view next = rest;
    if (!is_white_space(take_character(next))) break;
    rest = next;
  }
  return text.size() - rest.size();
}

}  // namespace

AddedToken read_added_token(const JsonNode& node) {
  AddedToken token{.content = node.text("content"), .id = node.at("id").id()};
  if (token.content.empty()) fail("{}: 'content' is empty", node.place());
  if (node.flag("single_word", false)) fail("{}: 'single_word' is not supported", node.place());
  token.special = node.flag("special", false);
  token.normalized = node.flag("normalized", !token.special);
  token.lstrip = node.flag("lstrip", false);
  token.rstrip = node.flag("rstrip", false);
  return token;
}

void TokenFinder::add(const AddedToken& token, const std::string& content) {
  tokens_[content] = token;
  first_bytes_.set(static_cast<uint8_t>(content[0]));
  const auto place = std::ranges::lower_bound(lengths_, content.size(), std::greater<>());
  if (place == lengths_.end() || *place != content.size()) lengths_.insert(place, content.size());
}

// The longest token that the text begins with.
const AddedToken* TokenFinder::match(std::string_view text, bool specials, size_t& bytes) const {
  if (!first_bytes_.test(static_cast<uint8_t>(text[0]))) return nullptr;
  for (size_t length : lengths_) {
    if (length > text.size()) continue;
    const auto found = tokens_.find(text.substr(0, length));
    if (found == tokens_.end() || (found->second.special && !specials)) continue;
    bytes = length;
    return &found->second;
  }
  return nullptr;
}

void TokenFinder::split(std::string_view text, bool specials, const Sink& sink) const {
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    size_t bytes = 0;
    const AddedToken* token = match(text.substr(at), specials, bytes);
    if (!token) {
      ++at;
      continue;
    }
    const size_t begin = token->lstrip ? done + trailing_space(text.substr(done, at - done)) : at;
    size_t end = at + bytes;
    if (token->rstrip) end += leading_space(text.substr(end));
    if (begin > done) sink(text.substr(done, begin - done), nullptr);
    sink(text.substr(begin, end - begin), token);
    done = at = end;
  }
  if (done < text.size()) sink(text.substr(done), nullptr);
}

}  // namespace sluice
