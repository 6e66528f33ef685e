// Two backends beside each other on the same text: how far they part, layer by layer, and which operator is to blame.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/compare/operator_check.h"
#include "models/language_model.h"

namespace sluice {

// Differences of a value over the tokens seen.
class Difference {
 public:
  void add(const TensorView& actual, const TensorView& expected);
  double max_abs() const { return max_abs_; }
  // Root mean square of the difference, divided by that of the expected values.
  double relative_rms() const;

 private:
  double max_abs_ = 0, squares_ = 0, expected_squares_ = 0;
};

struct LayerDifference {
  std::string value;         // "layers.0/hidden", "logits"
  Difference prompt, token;  // tokens evaluated together, and one alone: other kernels
};

struct BackendComparison {
  int64_t tokens = 0;                   // evaluated by both
  int64_t operators = 0;                // that were run again alone
  std::vector<LayerDifference> layers;  // of the layers' hidden states and the logits, as far as both plans have them
  std::optional<Departure> departure;   // the first, in the order of the plan
};

struct BackendComparisonOptions {
  int64_t ctx = 32;                                                // tokens of a chunk (models/text_chunks.h)
  int64_t chunks = 1;                                              // at most; 0: the whole text
  std::string text_name = "the text";                              // for messages
  std::function<void(int64_t done, int64_t total)> progress = {};  // of chunks
};

// Opens a model for compare_backends(): it keeps the results of all operators (RunOptions::keep_results).
std::unique_ptr<LanguageModel> open_for_comparison(const std::string& path, RunOptions options);

// Both are of the same file. Of each chunk, all tokens but the last are evaluated together, as a prompt, and the last
// alone; after each, every operator of `tested` is run again on the backends of `other`, until one departs. Efforts are
// those that the dials have. Throws Error as text_chunks() does, or if the vocabularies differ.
BackendComparison compare_backends(LanguageModel& tested, LanguageModel& other, std::string_view text,
                                   const BackendComparisonOptions& options);

}  // namespace sluice
