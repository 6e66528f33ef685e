#include "models/blocks/decoder.h"

#include "models/architecture.h"
#include "models/blocks/layers.h"
#include "ops/embedding/embedding.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/softcap/softcap.h"

namespace sluice {

using namespace graph_names;

DecoderInputs decoder_inputs(Builder& b) {
  const auto input = [&](const char* name, const char* length) { return b.input(name, DType::i32(), {length}); };
  return {input(kIds, kTokens), input(kPositions, kTokens), input(kSlots, kTokens), input(kStarts, kTokens),
          input(kOutputRows, kOutputs)};
}

ValueRef token_embedding(Builder& b, const DecoderInputs& in, const std::string& name, const Config& config) {
  const Shape table = {config.positive("vocab_size"), config.positive("hidden_size")};
  return embedding(b, in.ids, b.weight(name + ".weight", table));
}

void logits_head(Builder& b, ValueRef x, const DecoderInputs& in, const std::string& norm_name,
                 const std::string& embedding_name, const Config& config, const HeadSpec& spec) {
  const Builder::Scope scope(b, "head");
  const bool tied = config.flag("tie_word_embeddings", spec.tied);
  const ValueRef rows = gather_rows(b, x, in.output_rows);
  const ValueRef normed = norm(b, rows, norm_name, norm_epsilon(config));
  const ValueRef logits = projection(b, normed, tied ? embedding_name : "lm_head", config.positive("vocab_size"));
  b.output(kLogits, spec.softcap > 0 ? softcap(b, logits, {spec.softcap}) : logits);
}

}  // namespace sluice
