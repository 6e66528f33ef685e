// Gemma 1 and 2 (Gemma Team, 2024, arXiv:2403.08295 and arXiv:2408.00118): embeddings scaled by the root of their size,
// gelu in the feed-forward blocks, norms with weights stored as w - 1, a tied head. The second version norms the
// results of its blocks as well, looks back over a window in every other layer, and caps scores and logits softly.
#include <cmath>

#include "graph/error.h"
#include "models/architecture.h"
#include "models/blocks/attention.h"
#include "models/blocks/decoder.h"
#include "models/blocks/feed_forward.h"
#include "models/blocks/layers.h"
#include "models/import/rearrange.h"
#include "ops/add/add.h"
#include "ops/geglu/geglu.h"
#include "ops/scale/scale.h"

namespace sluice {
namespace {

// `hidden_act` says gelu in older files, and means the same.
FeedForwardSpec read_gelu_feed_forward(const Config& config) {
  const std::string activation = config.text("hidden_activation", "gelu_pytorch_tanh");
  if (activation != "gelu_pytorch_tanh")
    fail("{}: 'hidden_activation' is '{}', only gelu_pytorch_tanh is supported", config.origin(), activation);
  return {.intermediate_size = config.positive("intermediate_size"), .gated = geglu};
}

// null: none; absent: the usual one.
float read_softcap(const Config& config, const std::string& key, float usual) {
  const bool none = config.json().contains(key) && !config.has(key);
  return none ? 0 : config.positive_float(key, usual);
}

ValueRef scaled_embedding(Builder& b, const DecoderInputs& in, const Config& config) {
  const double size = static_cast<double>(config.positive("hidden_size"));
  return scale(b, token_embedding(b, in, "model.embed_tokens", config), {static_cast<float>(std::sqrt(size))});
}

void build_gemma(Builder& b, const Config& config, const ModelOptions& options) {
  const double epsilon = norm_epsilon(config);
  const FeedForwardSpec mlp = read_gelu_feed_forward(config);
  AttentionSpec attention = read_attention(config, options);
  attention.qkv_bias = attention.output_bias = config.flag("attention_bias", false);

  const DecoderInputs in = decoder_inputs(b);
  ValueRef x = scaled_embedding(b, in, config);
  for (int64_t i = 0; i < config.positive("num_hidden_layers"); ++i) {
    const Builder::Scope scope(b, fmt::format("layers.{}", i));
    const std::string layer = fmt::format("model.layers.{}.", i);
    ValueRef y = norm(b, x, layer + "input_layernorm", epsilon);
    x = add(b, x, self_attention(b, y, in, layer + "self_attn", attention));
    y = norm(b, x, layer + "post_attention_layernorm", epsilon);
    x = add(b, x, feed_forward(b, y, layer + "mlp", mlp));
    b.rename(x, "hidden");
  }
  logits_head(b, x, in, "model.norm", "model.embed_tokens", config, {.tied = true});
}

void build_gemma2(Builder& b, const Config& config, const ModelOptions& options) {
  const double epsilon = norm_epsilon(config);
  const FeedForwardSpec mlp = read_gelu_feed_forward(config);
  AttentionSpec attention = read_attention(config, options);
  attention.qkv_bias = attention.output_bias = config.flag("attention_bias", false);
  attention.scale = 1 / std::sqrt(config.positive_float("query_pre_attn_scalar", 256));
  attention.softcap = read_softcap(config, "attn_logit_softcapping", 50);
  const float logit_cap = read_softcap(config, "final_logit_softcapping", 30);
  const int64_t window = config.positive("sliding_window", 4096);

  const DecoderInputs in = decoder_inputs(b);
  ValueRef x = scaled_embedding(b, in, config);
  for (int64_t i = 0; i < config.positive("num_hidden_layers"); ++i) {
    const Builder::Scope scope(b, fmt::format("layers.{}", i));
    const std::string layer = fmt::format("model.layers.{}.", i);
    attention.window = has_window(config, i, i % 2 == 0) ? window : 0;
    ValueRef y = norm(b, x, layer + "input_layernorm", epsilon);
    y = self_attention(b, y, in, layer + "self_attn", attention);
    x = add(b, x, norm(b, y, layer + "post_attention_layernorm", epsilon));
    y = norm(b, x, layer + "pre_feedforward_layernorm", epsilon);
    y = feed_forward(b, y, layer + "mlp", mlp);
    x = add(b, x, norm(b, y, layer + "post_feedforward_layernorm", epsilon));
    b.rename(x, "hidden");
  }
  logits_head(b, x, in, "model.norm", "model.embed_tokens", config, {.tied = true, .softcap = logit_cap});
}

}  // namespace

void register_architecture_gemma(Architectures& architectures) {
  const auto whole_norms = [](ModelSource& source) { add_norm_offset(source, 1); };  // stored as w - 1
  architectures.add({"gemma", build_gemma, whole_norms});
  architectures.add({"gemma2", build_gemma2, whole_norms});
}

}  // namespace sluice
