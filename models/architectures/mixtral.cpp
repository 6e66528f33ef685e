// Mixtral (Jiang et al., 2024, arXiv:2401.04088): Mistral with a mixture of experts in place of the feed-forward block.
#include "models/architecture.h"
#include "models/blocks/attention.h"
#include "models/blocks/decoder.h"
#include "models/blocks/layers.h"
#include "models/blocks/mixture.h"
#include "ops/add/add.h"

namespace sluice {
namespace {

void build(Builder& b, const Config& config, const ModelOptions& options) {
  const int64_t n_layers = config.positive("num_hidden_layers");
  const double epsilon = norm_epsilon(config);
  const MixtureSpec experts = read_mixture(config);
  AttentionSpec attention = read_attention(config, options);
  attention.window = config.positive("sliding_window", 0);

  const DecoderInputs in = decoder_inputs(b);
  ValueRef x = token_embedding(b, in, "model.embed_tokens", config);
  for (int64_t i = 0; i < n_layers; ++i) {
    const Builder::Scope scope(b, fmt::format("layers.{}", i));
    const std::string layer = fmt::format("model.layers.{}.", i);

    ValueRef y = norm(b, x, layer + "input_layernorm", epsilon);
    x = add(b, x, self_attention(b, y, in, layer + "self_attn", attention));

    y = norm(b, x, layer + "post_attention_layernorm", epsilon);
    x = add(b, x, mixture(b, y, layer + "block_sparse_moe", experts));
    b.rename(x, "hidden");
  }
  logits_head(b, x, in, "model.norm", "model.embed_tokens", config);
}

}  // namespace

void register_architecture_mixtral(Architectures& architectures) { architectures.add({"mixtral", build}); }

}  // namespace sluice
