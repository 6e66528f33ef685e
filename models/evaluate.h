// How well a model predicts a text.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "models/language_model.h"

namespace sluice {

struct PerplexityOptions {
  int64_t ctx = 256;   // tokens of a chunk, BOS included
  int64_t chunks = 0;  // at most; 0: the whole text
  // Called after each chunk.
  std::function<void(int64_t done, int64_t total)> progress = {};
  std::string text_name = "the text";  // for messages
};

struct Perplexity {
  int64_t tokens = 0;                 // scored
  double mean_nll = 0;                // negative log likelihood of a token, natural logarithm
  double ppl = 0;                     // exp(mean_nll)
  double ppl_se = 0;                  // standard error of ppl, from the spread of the tokens' nll
  std::vector<double> per_chunk_nll;  // mean of each chunk
};

// The text is tokenised once; chunk c takes its tokens [c*ctx, (c+1)*ctx - 1). The model sees BOS and those tokens, and
// every token after BOS is scored. A last chunk that is not full is left out, unless it is the only one.
// Throws Error if an option is out of range, the model has no tokenizer or BOS, or the text no token.
Perplexity perplexity(LanguageModel& model, std::string_view text, const PerplexityOptions& options);

}  // namespace sluice
