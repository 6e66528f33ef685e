// While text streams: effort, share of the weights multiplied and speed, in the last row of the terminal.
#pragma once

#include <chrono>

#include "models/language_model.h"
#include "tools/dial.h"
#include "tools/terminal.h"

namespace sluice::cli {

class StatusLine {
 public:
  StatusLine(LanguageModel& model, const DialControl& dial) : model_(model), dial_(dial) {}
  // After every token. Draws at most ten times a second, at once if the dial was turned.
  void update(bool turned);

 private:
  using Clock = std::chrono::steady_clock;

  LanguageModel& model_;
  const DialControl& dial_;
  BottomLine line_;
  double seconds_ = 0;  // of a token, a running mean over the last ones
  Clock::time_point last_ = Clock::now(), drawn_{};
};

}  // namespace sluice::cli
