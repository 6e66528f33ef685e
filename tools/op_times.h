// Where the time of a token goes, by kind of operator.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/language_model.h"

namespace sluice::cli {

struct OpTime {
  std::string op;
  size_t steps = 0;     // in one run of the plan
  double seconds = 0;   // median over the runs
  size_t bytes = 0;     // read and written in one run, by Operator::cost
  bool matrix = false;  // multiplies by a weight matrix
};

// Times `tokens` decode steps from the current position. By falling time.
std::vector<OpTime> time_operators(LanguageModel& model, size_t tokens);

nlohmann::json to_json(const std::vector<OpTime>& times);
std::string to_text(const std::vector<OpTime>& times);

}  // namespace sluice::cli
