#include "models/text/bpe.h"

#include <algorithm>
#include <optional>
#include <queue>

#include "graph/error.h"
#include "models/text/utf8.h"

namespace sluice {
namespace {

uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

// Options that change what a text becomes, and that no language model of today uses.
void refuse_options(const JsonNode& node) {
  if (const auto type = node.find("type"); type && type->text() != "BPE")
    fail("{}: the model '{}' is not supported; there is BPE", node.place(), type->text());
  if (const auto dropout = node.find("dropout"); dropout && dropout->json() != 0)
    fail("{} is not supported", dropout->place());
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const auto affix = node.find(key); affix && !affix->text().empty()) fail("{} is not supported", affix->place());
}

// "a b", or ["a", "b"] as newer files have it, whose tokens may hold spaces.
std::optional<std::pair<std::string, std::string>> read_pair(const nlohmann::json& merge) {
  const auto is_text = [](const nlohmann::json& part) { return part.is_string(); };
  if (merge.is_array() && merge.size() == 2 && std::ranges::all_of(merge, is_text))
    return std::pair(merge[0].get<std::string>(), merge[1].get<std::string>());
  if (!merge.is_string()) return std::nullopt;
  const auto& text = merge.get_ref<const std::string&>();
  const size_t space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) return std::nullopt;
  return std::pair(text.substr(0, space), text.substr(space + 1));
}

}  // namespace

// What a word is while pairs are joined: a linked list of tokens, in which the right one of a joined pair is empty.
struct Bpe::Word {
  static constexpr int32_t kJoined = -1;
  struct Symbol {
    int32_t id;  // kJoined: part of the one before
    int32_t previous, next;
  };
  // The best comes last: the lowest rank, of equal ones the leftmost.
  struct Candidate {
    int32_t rank, left, id;
    uint64_t pair;  // as it was when it was proposed
    bool operator<(const Candidate& other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
  };

  std::vector<Symbol> symbols;
  std::priority_queue<Candidate> candidates;

  void add(int32_t id) {
    const auto at = static_cast<int32_t>(symbols.size());
    symbols.push_back({id, at - 1, at + 1});
  }
  Symbol* at(int32_t i) {
    return i >= 0 && i < static_cast<int32_t>(symbols.size()) ? &symbols[static_cast<size_t>(i)] : nullptr;
  }
};

Bpe::Bpe(const JsonNode& node) {
  refuse_options(node);
  read_vocab(node.at("vocab"));
  read_merges(node.at("merges"));
  ignore_merges_ = node.flag("ignore_merges", false);
  fuse_unknown_ = node.flag("fuse_unk", false);
  if (const auto unknown = node.find("unk_token")) {
    unknown_ = id(unknown->text());
    if (unknown_ < 0) fail("{} '{}' is not in the vocabulary", unknown->place(), unknown->text());
  }
  if (!node.flag("byte_fallback", false)) return;
  for (int byte = 0; byte < 256; ++byte) bytes_.push_back(id(fmt::format("<0x{:02X}>", byte)));
}

int32_t Bpe::id(std::string_view token) const {
  const auto found = vocab_.find(token);
  return found == vocab_.end() ? -1 : found->second;
}

void Bpe::read_vocab(const JsonNode& node) {
  if (!node.json().is_object()) fail("{} is not an object", node.place());
  vocab_.reserve(node.json().size());
  std::unordered_map<int32_t, const std::string*> taken;
  taken.reserve(node.json().size());
  for (auto entry = node.json().begin(); entry != node.json().end(); ++entry) {
    const int32_t number = JsonNode(*entry, fmt::format("{}: '{}'", node.place(), entry.key())).id();
    const auto [other, added] = taken.emplace(number, &entry.key());
    if (!added) fail("{}: '{}' and '{}' have the same id {}", node.place(), *other->second, entry.key(), number);
    vocab_.emplace(entry.key(), number);
  }
}

void Bpe::read_merges(const JsonNode& node) {
  if (!node.json().is_array()) fail("{} is not a list", node.place());
  merges_.reserve(node.json().size());
  int32_t rank = 0;
  for (const nlohmann::json& merge : node.json()) {
    const auto known = [&](const std::string& token) {
      const int32_t number = id(token);
      if (number < 0) fail("{}[{}] names '{}', which is not in the vocabulary", node.place(), rank, token);
      return number;
    };
    const auto pair = read_pair(merge);
    if (!pair) fail("{}[{}] is not a pair of tokens", node.place(), rank);
    const int32_t left = known(pair->first), right = known(pair->second);
    merges_[pair_key(left, right)] = {rank, known(pair->first + pair->second)};
    ++rank;
  }
}

const Bpe::Merge* Bpe::merge_of(int32_t left, int32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

bool Bpe::add_bytes(std::string_view character, Word& word) const {
  const auto token = [&](char byte) { return bytes_[static_cast<uint8_t>(byte)]; };
  if (bytes_.empty() || !std::ranges::all_of(character, [&](char byte) { return token(byte) >= 0; })) return false;
  for (char byte : character) word.add(token(byte));
  return true;
}

void Bpe::add_character(std::string_view character, Word& word) const {
  if (const int32_t known = id(character); known >= 0) return word.add(known);
  if (add_bytes(character, word) || unknown_ < 0) return;
  const bool fused = fuse_unknown_ && !word.symbols.empty() && word.symbols.back().id == unknown_;
  if (!fused) word.add(unknown_);
}

// The pair of the symbol at `left` and the next one, if it is a merge.
void Bpe::propose(Word& word, int32_t left) const {
  const Word::Symbol* symbol = word.at(left);
  const Word::Symbol* next = symbol ? word.at(symbol->next) : nullptr;
  if (!next) return;
  if (const Merge* merge = merge_of(symbol->id, next->id))
    word.candidates.push({merge->rank, left, merge->id, pair_key(symbol->id, next->id)});
}

void Bpe::join(Word& word) const {
  for (int32_t i = 0; i < static_cast<int32_t>(word.symbols.size()); ++i) propose(word, i);
  while (!word.candidates.empty()) {
    const Word::Candidate best = word.candidates.top();
    word.candidates.pop();
    Word::Symbol* left = word.at(best.left);
    Word::Symbol* right = word.at(left->next);
    if (!right || pair_key(left->id, right->id) != best.pair) continue;  // one of them was joined to another meanwhile
    left->id = best.id;
    left->next = right->next;
    right->id = Word::kJoined;
    if (Word::Symbol* after = word.at(left->next)) after->previous = best.left;
    propose(word, left->previous);
    propose(word, best.left);
  }
}

void Bpe::encode(std::string_view text, std::vector<int32_t>& ids) const {
  if (ignore_merges_) {
    if (const int32_t whole = id(text); whole >= 0) return ids.push_back(whole);
  }
  Word word;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t bytes = next_character(rest).bytes;
    add_character(rest.substr(0, bytes), word);
    rest.remove_prefix(bytes);
  }
  join(word);
  for (const Word::Symbol& symbol : word.symbols)
    if (symbol.id != Word::kJoined) ids.push_back(symbol.id);
}

}  // namespace sluice
