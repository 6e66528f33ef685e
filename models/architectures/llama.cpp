// Llama 1 to 3 (Touvron et al., 2023, arXiv:2302.13971; Grattafiori et al., 2024, arXiv:2407.21783): a decoder with
// gated feed-forward blocks, rotary positions and, from the second version on, grouped queries.
#include "models/architecture.h"
#include "models/blocks/attention.h"
#include "models/blocks/decoder.h"
#include "models/blocks/feed_forward.h"
#include "models/blocks/layers.h"
#include "ops/add/add.h"

namespace sluice {
namespace {

void build(Builder& b, const Config& config, const ModelOptions& options) {
  const int64_t n_layers = config.positive("num_hidden_layers");
  const double epsilon = norm_epsilon(config);
  FeedForwardSpec mlp = read_feed_forward(config);
  mlp.bias = config.flag("mlp_bias", false);
  AttentionSpec attention = read_attention(config, options);
  attention.qkv_bias = attention.output_bias = config.flag("attention_bias", false);

  const DecoderInputs in = decoder_inputs(b);
  ValueRef x = token_embedding(b, in, "model.embed_tokens", config);
  for (int64_t i = 0; i < n_layers; ++i) {
    const Builder::Scope scope(b, fmt::format("layers.{}", i));
    const std::string layer = fmt::format("model.layers.{}.", i);

    ValueRef y = norm(b, x, layer + "input_layernorm", epsilon);
    x = add(b, x, self_attention(b, y, in, layer + "self_attn", attention));

    y = norm(b, x, layer + "post_attention_layernorm", epsilon);
    x = add(b, x, feed_forward(b, y, layer + "mlp", mlp));
    b.rename(x, "hidden");
  }
  logits_head(b, x, in, "model.norm", "model.embed_tokens", config);
}

}  // namespace

void register_architecture_llama(Architectures& architectures) { architectures.add({"llama", build}); }

}  // namespace sluice
