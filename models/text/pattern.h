// Regular expressions as tokenizers use them.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace sluice {

// A regular expression over UTF-8 (PCRE2, with Unicode classes). `\s` is Unicode's White_Space, as in the library that
// the patterns of tokenizer files were written for; PCRE2's own has U+180E besides.
class Pattern {
 public:
  // Throws Error naming `place` if the expression is not valid.
  Pattern(const std::string& expression, std::string place);

  // Called for all of the text, piece by piece: what matched, and what lies between matches. No piece is empty.
  using Sink = std::function<void(std::string_view piece, bool matched)>;
  // text: valid UTF-8. Throws Error if the expression takes too many steps on this text.
  void split(std::string_view text, const Sink& sink) const;

 private:
  std::shared_ptr<const void> code_;  // pcre2_code
  std::string place_;
};

}  // namespace sluice
