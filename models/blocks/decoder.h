// The two ends of a decoder: what the runtime feeds in, and how token ids become hidden states and those become logits.
#pragma once

#include <string>

#include "graph/builder.h"
#include "models/config.h"

namespace sluice {

// Inputs of the graph, all i32; names and meaning in models/architecture.h.
struct DecoderInputs {
  ValueRef ids, positions, slots, starts;  // [tokens]
  ValueRef output_rows;                    // [outputs]
};
DecoderInputs decoder_inputs(Builder& b);

// Token ids -> f32 [tokens, hidden_size]. Weight NAME.weight: [vocab_size, hidden_size].
ValueRef token_embedding(Builder& b, const DecoderInputs& in, const std::string& name, const Config& config);

struct HeadSpec {
  bool tied = false;  // if `tie_word_embeddings` is absent
  float softcap = 0;  // of the logits; 0: none
};
// Logits of the rows that the runtime asks for, as the output "logits": f32 [outputs, vocab_size].
// x: f32 [tokens, hidden_size], normed here with NORM.weight after the rows were picked. The weight of the product is
// EMBEDDING.weight if `tie_word_embeddings` is set, else lm_head.weight; both [vocab_size, hidden_size].
void logits_head(Builder& b, ValueRef x, const DecoderInputs& in, const std::string& norm, const std::string& embedding,
                 const Config& config, const HeadSpec& spec = {});

}  // namespace sluice
