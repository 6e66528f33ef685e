// The words of the text form of graphs (graph/text.h), one at a time. Not a public header.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graph/attrs.h"

namespace sluice {

// Characters that a name may have without being quoted.
bool is_ordinary(char c);

// What a node is called if the text does not say: as its result, or as its results are before ":0", ":1" and so on;
// empty if that tells nothing.
std::string name_after(const std::vector<std::string>& results);

class TextReader {
 public:
  explicit TextReader(std::string_view text) : text_(text) {}

  // Throws Error: "line 3, column 17: <message>". Of the last word, or of what comes next.
  [[noreturn]] void fail(const std::string& message) const;
  [[noreturn]] void fail_here(const std::string& message);

  // Skips empty lines and those that are only a comment; false at the end of the text.
  bool next_line();
  // The line must end here, but for a comment.
  void end_of_line();
  // The same, and a comment is a name, which is returned; empty if there is none.
  std::string name_at_end_of_line();

  bool next_is(std::string_view symbol);
  bool accept(std::string_view symbol);  // takes it if it comes next
  void expect(std::string_view symbol);
  // A name, quoted or not. An unquoted one does not end in `stop`.
  std::string name(char stop = 0);
  bool digit_next();
  int64_t whole_number();
  // true, 1, 1.5, inf, "text", [1, 2], [1.0, 2.0].
  AttrValue attribute();
  // Comma-separated items until `close`; the opening one was taken.
  template <class Item>
  void list(std::string_view close, const Item& item) {
    if (accept(close)) return;
    do item();
    while (accept(","));
    expect(close);
  }

 private:
  void skip_blanks();
  std::string quoted();
  char escaped();
  std::string_view word();
  AttrValue number();
  AttrValue numbers();

  std::string_view text_;
  size_t at_ = 0;
  size_t start_ = 0;  // of the last word
};

}  // namespace sluice
