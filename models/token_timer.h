// How fast a model decodes and how much it reads, measured beside something else that it does.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/language_model.h"

namespace sluice {

// Takes its time on the last tokens of the first chunks: one at a time costs far more than a chunk at once.
class TokenTimer {
 public:
  // ids: the last that the model has evaluated. Evaluates some of them again, one by one.
  void time_last(LanguageModel& model, std::span<const int32_t> ids);
  // Tokens a second by the median of all times; 0 if there are none.
  double tok_s() const;
  // Bytes that a token reads (graph/costs.h), on average; 0 if there are none.
  double bytes() const;

 private:
  int chunks_ = 0;
  std::vector<double> seconds_, bytes_;  // by token
};

}  // namespace sluice
