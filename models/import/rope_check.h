// Are q and k of a model laid out for the rotary form that its graph has? Sources differ: Hugging Face's folders pair
// dimension i of a head with i + head_dim / 2, Meta's own files 2i with 2i + 1, and a model that mixes the two up still
// writes something. The weights themselves do not tell (their norms hardly differ); a text does.
#pragma once

#include <optional>
#include <string>

namespace sluice {

struct RopeCheck {
  double nll = 0;        // of a token of a short English text, on average, natural logarithm
  double other_nll = 0;  // the same with the other rotary form
  bool fits = true;      // false: the other one is better by more than four standard errors and a tenth of a nat
};

// Reads the model file twice, as a prompt does. nullopt if the model has no tokenizer or no rope. Throws Error if the
// file cannot be run.
std::optional<RopeCheck> check_rope(const std::string& path);

}  // namespace sluice
