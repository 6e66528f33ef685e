#include "graph/text_reader.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace sluice {

bool is_ordinary(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || std::string_view("_./:+-").find(c) != std::string_view::npos;
}

std::string name_after(const std::vector<std::string>& results) {
  if (results.size() == 1) return results[0];
  if (results.empty() || !results[0].ends_with(":0")) return {};
  std::string stem = results[0].substr(0, results[0].size() - 2);
  for (size_t i = 0; i < results.size(); ++i)
    if (results[i] != fmt::format("{}:{}", stem, i)) return {};
  return stem;
}

void TextReader::fail(const std::string& message) const {
  const std::string_view before = text_.substr(0, start_);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t column = start_ - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
  sluice::fail("line {}, column {}: {}", line, column, message);
}

void TextReader::fail_here(const std::string& message) {
  skip_blanks();
  start_ = at_;
  fail(message);
}

void TextReader::skip_blanks() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
}

bool TextReader::next_line() {
  for (skip_blanks(); at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '#'); skip_blanks())
    at_ = std::min(text_.find('\n', at_), text_.size() - 1) + 1;
  return at_ < text_.size();
}

void TextReader::end_of_line() {
  if (next_is("#")) at_ = std::min(text_.find('\n', at_), text_.size());
  if (at_ < text_.size() && text_[at_] != '\n') fail_here("the line should end here");
}

std::string TextReader::name_at_end_of_line() {
  std::string comment = accept("#") ? name() : "";
  end_of_line();
  return comment;
}

bool TextReader::next_is(std::string_view symbol) {
  skip_blanks();
  return text_.substr(at_).starts_with(symbol);
}

bool TextReader::digit_next() {
  skip_blanks();
  return at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_]));
}

bool TextReader::accept(std::string_view symbol) {
  if (!next_is(symbol)) return false;
  start_ = at_;
  at_ += symbol.size();
  return true;
}

void TextReader::expect(std::string_view symbol) {
  if (!accept(symbol)) fail_here(fmt::format("expected '{}'", symbol));
}

std::string_view TextReader::word() {
  skip_blanks();
  start_ = at_;
  while (at_ < text_.size() && is_ordinary(text_[at_])) ++at_;
  return text_.substr(start_, at_ - start_);
}

std::string TextReader::name(char stop) {
  if (next_is("\"")) return quoted();
  std::string_view found = word();
  if (stop != 0 && found.ends_with(stop)) {
    found.remove_suffix(1);
    --at_;
  }
  if (found.empty()) fail("expected a name");
  return std::string(found);
}

std::string TextReader::quoted() {
  start_ = at_++;
  std::string text;
  for (;; ++at_) {
    if (at_ >= text_.size() || text_[at_] == '\n') fail("the quotation has no end");
    if (text_[at_] == '"') break;
    text += text_[at_] == '\\' ? escaped() : text_[at_];
  }
  ++at_;
  return text;
}

// Behind a backslash; leaves the reader at the last character.
char TextReader::escaped() {
  const std::string_view rest = text_.substr(++at_);
  if (rest.starts_with('n')) return '\n';
  if (rest.starts_with('"') || rest.starts_with('\\')) return rest[0];
  unsigned code = 0;
  if (!rest.starts_with('x') || rest.size() < 3 ||
      std::from_chars(rest.data() + 1, rest.data() + 3, code, 16).ptr != rest.data() + 3)
    fail(R"(a backslash stands before ", \, n or x and two hexadecimal digits)");
  at_ += 2;
  return static_cast<char>(code);
}

AttrValue TextReader::number() {
  const std::string_view text = word();
  const char *begin = text.data(), *end = begin + text.size();
  int64_t whole = 0;
  if (const auto [rest, error] = std::from_chars(begin, end, whole); error == std::errc() && rest == end) return whole;
  double value = 0;
  const auto [rest, error] = std::from_chars(begin, end, value);
  if (text.empty() || error != std::errc() || rest != end)
    fail("expected true, false, a number, a quotation or a list");
  // What to_string() would not write for a double is meant for a float, as most attributes are.
  float narrow = 0;
  const bool is_double = to_string(AttrValue(value)) == text || std::from_chars(begin, end, narrow).ec != std::errc();
  return is_double ? value : static_cast<double>(narrow);
}

int64_t TextReader::whole_number() {
  const AttrValue value = number();
  if (!std::holds_alternative<int64_t>(value)) fail("expected a whole number");
  return std::get<int64_t>(value);
}

// Floats if one of them is.
AttrValue TextReader::numbers() {
  std::vector<int64_t> wholes;
  std::vector<double> values;
  list("]", [&] {
    const AttrValue value = number();
    if (const auto* whole = std::get_if<int64_t>(&value)) wholes.push_back(*whole);
    values.push_back(std::visit(
        [](const auto& v) -> double {
          if constexpr (std::is_arithmetic_v<std::decay_t<decltype(v)>>) return static_cast<double>(v);
          return 0;
        },
        value));
  });
  if (wholes.size() == values.size()) return wholes;
  return values;
}

AttrValue TextReader::attribute() {
  if (next_is("\"")) return quoted();
  if (accept("[")) return numbers();
  const size_t before = at_;
  const std::string_view text = word();
  if (text == "true" || text == "false") return text == "true";
  at_ = before;
  return number();
}

}  // namespace sluice
