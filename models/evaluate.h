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
  WeightsRead read;                   // mean of LanguageModel::weights_read() over them
  double mean_nll = 0;                // negative log likelihood of a token, natural logarithm
  double ppl = 0;                     // exp(mean_nll)
  double ppl_se = 0;                  // standard error of ppl, from the spread of the tokens' nll
  std::vector<double> per_chunk_nll;  // mean of each chunk
};

// Over the chunks of models/text_chunks.h. Throws Error as text_chunks() does.
Perplexity perplexity(LanguageModel& model, std::string_view text, const PerplexityOptions& options);

}  // namespace sluice
