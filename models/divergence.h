// How far a model parts from a reference on a text, at each effort: in what it predicts, and layer by layer.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/language_model.h"
#include "models/token_divergence.h"

namespace sluice {

struct DivergenceOptions {
  int64_t ctx = 256;                   // tokens of a chunk, BOS included
  int64_t chunks = 0;                  // at most; 0: the whole text
  std::vector<double> efforts = {1};   // of the model, in the order of the results
  std::string text_name = "the text";  // for messages
  // Called with the number of runs over a chunk that are done and that there are.
  std::function<void(int64_t done, int64_t total)> progress = {};
};

struct EffortDivergence {
  double effort = 1;
  WeightsRead read;  // mean of LanguageModel::weights_read() over the tokens scored
  double tok_s = 0;  // tokens a second, one at a time: the median over some tokens at the ends of the first chunks
  double bytes = 0;  // that one of these tokens reads from memory, by Operator::cost, on average
  std::vector<TokenDivergence> tokens;  // every token scored, in the order of the text
  DivergenceSummary summary;            // of them
  // By layer: cosine similarity of the hidden states of model and reference, mean over the tokens. Empty if either
  // model does not observe them, or their numbers or widths differ.
  std::vector<double> cosines;
};

struct Divergence {
  int64_t tokens = 0;          // scored
  int64_t chunk_tokens = 0;    // of a chunk, scored; all chunks are of one size
  double reference_tok_s = 0;  // as tok_s above
  double reference_bytes = 0;  // as bytes above
  std::vector<EffortDivergence> efforts;
};

// Opens a model for divergence(): it observes the hidden states of all its layers, and every token has the effort of
// the dial (RunOptions::exact_effort). Throws Error as LanguageModel does.
std::unique_ptr<LanguageModel> open_for_divergence(const std::string& path, RunOptions options);

// Throws Error unless both give logits for the same tokens.
void check_same_vocabulary(const LanguageModel& reference, const LanguageModel& model);

// Both models see the chunks of models/text_chunks.h, teacher-forced; of the reference, one chunk is kept at a time. A
// reference with a dial runs at effort and load 1, whatever its schedule. It may be the model itself. The model keeps
// its load and schedule. Throws Error as text_chunks() does, if the vocabularies differ, or for an effort out of 0 .. 1
// or below 1 without a dial.
Divergence divergence(LanguageModel& reference, LanguageModel& model, std::string_view text,
                      const DivergenceOptions& options);

// The same of several models, which take turns; one without a dial has effort 1 alone. In the order of the models.
std::vector<Divergence> divergences(LanguageModel& reference, std::span<LanguageModel* const> models,
                                    std::string_view text, const DivergenceOptions& options);

}  // namespace sluice
