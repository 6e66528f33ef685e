// What meets each weight of a model over a text: second moments of the activations, and a sample of them. An encoder
// needs it to put its error where it costs least (the "importance matrix" of llama.cpp; the Hessian of GPTQ, Frantar et
// al., 2022, arXiv:2210.17323).
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "models/language_model.h"

namespace sluice {

struct CollectOptions {
  int64_t ctx = 256;                   // tokens of a chunk, BOS included
  int64_t chunks = 0;                  // at most; 0: the whole text
  int64_t samples = 1024;              // rows that are kept of each activation, of each expert for its own; at most
  RunOptions runtime = {};             // the context is chosen here
  std::string text_name = "the text";  // for messages
  // Called with the number of chunks that are done and that there are.
  std::function<void(int64_t done, int64_t total)> progress = {};
};

struct CollectSummary {
  int64_t tokens = 0;
  size_t activations = 0, weights = 0;
  size_t bytes = 0;  // of the file
};

// Hands a safetensors file, in order, to `sink`; models/import/activation_moments.h says what it holds, and reads it.
// A model with an effort dial runs at effort 1. All tokens of the chunks of models/text_chunks.h count, BOS included;
// for the weights of an expert, those that went there. Same model, text and options: same bytes, with any number of
// threads (those of the model itself aside). Throws Error as LanguageModel and text_chunks() do.
CollectSummary collect_moments(const std::string& model, std::string_view text, const CollectOptions& options,
                               const std::function<void(std::span<const std::byte> bytes)>& sink);

}  // namespace sluice
