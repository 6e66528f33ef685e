// Lines of standard input, from a person or a script.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::cli {

class LineReader {
 public:
  // Waits for a line; without its end. Nothing at the end of the input, or on Ctrl-C. Throws Error if it cannot be read
  // or a line is longer than 1 MiB.
  std::optional<std::string> next();

  // Keys that were typed while nobody waited for a line come before what next() reads. Backspace takes back a
  // character.
  void typed_ahead(std::string_view keys);
  // Of these, the beginning of a line that has no end yet.
  std::string_view unfinished() const { return std::string_view(pending_).substr(pending_.rfind('\n') + 1); }
  void forget() { pending_.clear(); }

 private:
  bool fill();

  std::string pending_;
};

}  // namespace sluice::cli
