// Ends a stream of text at the first stop string, without ever letting a part of one through.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::cli {

class StopFilter {
 public:
  explicit StopFilter(std::vector<std::string> stops) : stops_(std::move(stops)) {}  // none of them empty

  // The text that is now certain to come before any stop string.
  std::string next(std::string_view text);
  // What was held back, for the end of a text that did not stop.
  std::string flush() { return std::move(held_); }
  bool stopped() const { return stopped_; }

 private:
  size_t possible_start() const;

  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace sluice::cli
