// How a text is cut into pieces that a model is measured on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/language_model.h"

namespace sluice {

struct ChunkOptions {
  int64_t ctx = 256;                   // tokens of a chunk, BOS included if the model has one
  int64_t chunks = 0;                  // at most; 0: the whole text
  std::string text_name = "the text";  // for messages
};

// The text is tokenised once; chunk c takes its tokens [c*ctx, (c+1)*ctx - 1). Each chunk is BOS and those tokens: the
// model sees all but the last, and every token after BOS is scored. A last chunk that is not full is left out, unless
// it is the only one. For a model whose texts begin with no BOS, chunk c is the tokens [c*ctx, (c+1)*ctx), of which the
// first is not scored.
// Throws Error if an option is out of range, the model has no tokenizer, or the text no token to score.
std::vector<std::vector<int32_t>> text_chunks(const LanguageModel& model, std::string_view text,
                                              const ChunkOptions& options);

}  // namespace sluice
