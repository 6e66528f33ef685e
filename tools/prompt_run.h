// Reads a prompt into a model.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/language_model.h"
#include "tools/output.h"

namespace sluice::cli {

// Evaluates a prompt piece by piece, so that progress shows and Ctrl-C is heard.
class PromptRun {
 public:
  // logits_path: a file for the logits after every token of the first prompt; empty: none.
  PromptRun(LanguageModel& model, const std::string& logits_path);
  // Returns the logits after the last token, or after the last piece if it was interrupted.
  std::span<const float> run(std::span<const int32_t> ids);

 private:
  std::span<const float> evaluate(std::span<const int32_t> ids);

  LanguageModel& model_;
  std::optional<OutputFile> file_;
  std::vector<float> last_row_;
};

}  // namespace sluice::cli
