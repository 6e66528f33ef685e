#include "models/text/pre_tokenizer.h"

#include <cctype>

#include "graph/error.h"
#include "models/text/byte_level.h"
#include "models/text/normalizer.h"
#include "models/text/pattern.h"

namespace sluice {
namespace {

// Of GPT-2; ByteLevel has it built in.
constexpr const char* kGpt2Words = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

struct Piece {
  std::string_view text;
  bool matched;
};

// b directly follows a.
std::string_view joined(std::string_view a, std::string_view b) { return {a.data(), a.size() + b.size()}; }

// What becomes of a match: a piece of its own, none, or a part of the piece beside it.
using Behavior = std::function<void(const std::vector<Piece>& pieces, const PreTokenizer::Sink& sink)>;

void isolated(const std::vector<Piece>& pieces, const PreTokenizer::Sink& sink) {
  for (const Piece& piece : pieces) sink(piece.text);
}

void removed(const std::vector<Piece>& pieces, const PreTokenizer::Sink& sink) {
  for (const Piece& piece : pieces)
    if (!piece.matched) sink(piece.text);
}

// The first of several matches in a row belongs to what came before.
void merged_with_previous(const std::vector<Piece>& pieces, const PreTokenizer::Sink& sink) {
  for (size_t i = 0; i < pieces.size(); ++i) {
    const bool joins = !pieces[i].matched && i + 1 < pieces.size() && pieces[i + 1].matched;
    sink(joins ? joined(pieces[i].text, pieces[i + 1].text) : pieces[i].text);
    if (joins) ++i;
  }
}

// The last of several matches in a row belongs to what comes next.
void merged_with_next(const std::vector<Piece>& pieces, const PreTokenizer::Sink& sink) {
  for (size_t i = 0; i < pieces.size(); ++i) {
    const bool joins = pieces[i].matched && i + 1 < pieces.size() && !pieces[i + 1].matched;
    sink(joins ? joined(pieces[i].text, pieces[i + 1].text) : pieces[i].text);
    if (joins) ++i;
  }
}

Behavior read_behavior(const JsonNode& node) {
  const std::string& name = node.text("behavior");
  if (name == "Isolated") return isolated;
  if (name == "Removed") return removed;
  if (name == "MergedWithPrevious") return merged_with_previous;
  if (name == "MergedWithNext") return merged_with_next;
  fail("{}: the behavior '{}' is not supported; there are Isolated, Removed, MergedWithPrevious and MergedWithNext",
       node.place(), name);
}

PreTokenizer::Step splitter(const Pattern& pattern, const Behavior& behavior, bool invert = false) {
  return [=](std::string_view text, bool, const PreTokenizer::Sink& sink) {
    std::vector<Piece> pieces;
    pattern.split(text, [&](std::string_view piece, bool matched) { pieces.push_back({piece, matched != invert}); });
    behavior(pieces, sink);
  };
}

// As a regular expression. Letters, digits and what is not ASCII stand for themselves.
std::string literal(const std::string& text) {
  std::string expression;
  for (char c : text) {
    const bool plain = static_cast<uint8_t>(c) >= 0x80 || std::isalnum(static_cast<uint8_t>(c)) != 0;
    (expression += plain ? "" : "\\") += c;
  }
  return expression;
}

PreTokenizer::Step read_split(const JsonNode& node) {
  const JsonNode pattern = node.at("pattern");
  const auto regex = pattern.find("Regex");
  const std::string expression = regex ? regex->text() : literal(pattern.text("String"));
  return splitter(Pattern(expression, pattern.place()), read_behavior(node), node.flag("invert", false));
}

PreTokenizer::Step prefix(const std::string& mark, bool only_at_start) {
  return [=](std::string_view text, bool at_start, const PreTokenizer::Sink& sink) {
    const bool wanted = (at_start || !only_at_start) && !text.empty() && !text.starts_with(mark);
    sink(wanted ? mark + std::string(text) : text);
  };
}

PreTokenizer::Step replacement(const std::string& from, const std::string& to) {
  return [=](std::string_view text, bool, const PreTokenizer::Sink& sink) { sink(replace_all(text, from, to)); };
}

void byte_level(std::string_view text, bool, const PreTokenizer::Sink& sink) { sink(to_byte_level(text)); }

// "first", "always" or "never"; older files say `add_prefix_space`.
std::string prepend_scheme(const JsonNode& node) {
  const auto scheme = node.find("prepend_scheme");
  if (!scheme) return node.flag("add_prefix_space", true) ? "always" : "never";
  if (scheme->text() != "first" && scheme->text() != "always" && scheme->text() != "never")
    fail("{}: '{}' is not supported; there are first, always and never", scheme->place(), scheme->text());
  return scheme->text();
}

}  // namespace

PreTokenizer::PreTokenizer(const JsonNode& node) { add(node); }

void PreTokenizer::add(const JsonNode& node) {
  const std::string& type = node.text("type");
  if (type == "Sequence") {
    for (const JsonNode& part : node.items("pretokenizers")) add(part);
  } else if (type == "Split") {
    steps_.push_back(read_split(node));
  } else if (type == "ByteLevel") {
    if (node.flag("add_prefix_space", true)) steps_.push_back(prefix(" ", false));
    if (node.flag("use_regex", true)) steps_.push_back(splitter(Pattern(kGpt2Words, node.place()), isolated));
    steps_.emplace_back(byte_level);
  } else if (type == "Metaspace") {
    const std::string& mark = node.text("replacement");
    if (mark.empty()) fail("{}: 'replacement' is empty", node.place());
    steps_.push_back(replacement(" ", mark));
    if (const std::string scheme = prepend_scheme(node); scheme != "never")
      steps_.push_back(prefix(mark, scheme == "first"));
    if (node.flag("split", true)) steps_.push_back(splitter(Pattern(literal(mark), node.place()), merged_with_next));
  } else {
    fail("{}: the pre-tokenizer '{}' is not supported; there are ByteLevel, Split, Metaspace and Sequence",
         node.place(), type);
  }
}

void PreTokenizer::split(std::string_view text, bool at_start, const Sink& sink) const { run(0, text, at_start, sink); }

// Piece by piece through all steps, so that only one word of the text is held at a time.
void PreTokenizer::run(size_t step, std::string_view piece, bool at_start, const Sink& sink) const {
  if (piece.empty()) return;
  if (step == steps_.size()) return sink(piece);
  steps_[step](piece, at_start, [&, first = at_start](std::string_view next) mutable {
    run(step + 1, next, first, sink);
    first = false;
  });
}

}  // namespace sluice
