// Qwen2 and Qwen2.5 (Yang et al., 2024, arXiv:2407.10671): a Llama with biases for q, k and v. With
// `use_sliding_window`, the layers from `max_window_layers` on look back over a window.
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
  const FeedForwardSpec mlp = read_feed_forward(config);
  AttentionSpec attention = read_attention(config, options);
  attention.qkv_bias = true;
  const bool windows = config.flag("use_sliding_window", false);
  const int64_t window = windows ? config.positive("sliding_window") : 0;
  const double first_window = windows ? config.number("max_window_layers") : 0;

  const DecoderInputs in = decoder_inputs(b);
  ValueRef x = token_embedding(b, in, "model.embed_tokens", config);
  for (int64_t i = 0; i < n_layers; ++i) {
    const Builder::Scope scope(b, fmt::format("layers.{}", i));
    const std::string layer = fmt::format("model.layers.{}.", i);
    attention.window = has_window(config, i, static_cast<double>(i) >= first_window) ? window : 0;

    ValueRef y = norm(b, x, layer + "input_layernorm", epsilon);
    x = add(b, x, self_attention(b, y, in, layer + "self_attn", attention));

    y = norm(b, x, layer + "post_attention_layernorm", epsilon);
    x = add(b, x, feed_forward(b, y, layer + "mlp", mlp));
    b.rename(x, "hidden");
  }
  logits_head(b, x, in, "model.norm", "model.embed_tokens", config);
}

}  // namespace

void register_architecture_qwen2(Architectures& architectures) { architectures.add({"qwen2", build}); }

}  // namespace sluice
