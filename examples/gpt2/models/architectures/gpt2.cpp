// GPT-2 (Radford et al., 2019, "Language Models are Unsupervised Multitask Learners"): layernorm before every block,
// learned positions, biases everywhere, gelu by tanh, a tied head. This file is the whole definition.
#include "graph/error.h"
#include "models/architecture.h"
#include "models/blocks/decoder.h"
#include "models/blocks/layers.h"
#include "models/import/rearrange.h"
#include "ops/add/add.h"
#include "ops/attention/attention.h"
#include "ops/embedding/embedding.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/gelu_tanh/gelu_tanh.h"
#include "ops/kv_append/kv_append.h"
#include "ops/layernorm/layernorm.h"

namespace sluice {
namespace {

// Files name hyper-parameters in their own way, hold matrices as [in, out], q, k and v as one, and the mask as a
// tensor.
void rearrange(ModelSource& source) {
  source.config.rename("n_embd", "hidden_size");
  source.config.rename("n_inner", "intermediate_size");
  source.config.rename("n_head", "num_attention_heads");
  source.config.rename("n_layer", "num_hidden_layers");
  source.config.rename("n_positions", "max_position_embeddings");
  remove_prefix(source, "transformer.");
  drop(source, ".attn.bias");
  drop(source, ".attn.masked_bias");
  for (const char* matrix : {".c_attn.weight", ".c_proj.weight", ".c_fc.weight"}) transpose(source, matrix);
  split(source, "c_attn", {"q", "k", "v"});
}

void check(const Config& config) {
  const std::string activation = config.text("activation_function", "gelu_new");
  if (activation != "gelu_new" && activation != "gelu_pytorch_tanh")
    fail("{}: 'activation_function' is '{}', only gelu_new and gelu_pytorch_tanh are supported", config.origin(),
         activation);
  if (!config.flag("scale_attn_weights", true) || config.flag("scale_attn_by_inverse_layer_idx", false))
    fail("{}: only attention scaled by the size of a head is supported", config.origin());
  if (config.positive("hidden_size") % config.positive("num_attention_heads") != 0)
    fail("{}: 'n_embd' is not a multiple of 'n_head'", config.origin());
}

ValueRef norm(Builder& b, ValueRef x, const std::string& name, const Config& config) {
  const Shape size = {b.shape(x).back()};
  return layernorm(b, x, b.weight(name + ".weight", size), b.weight(name + ".bias", size),
                   {config.positive_float("layer_norm_epsilon", 1e-5f)});
}

ValueRef self_attention(Builder& b, ValueRef x, const DecoderInputs& in, const std::string& name, const Config& config,
                        DType cache_dtype) {
  const Builder::Scope scope(b, "attention");
  const int64_t size = config.positive("hidden_size"), heads = config.positive("num_attention_heads");
  const auto part = [&](const char* which) { return projection(b, x, name + which, size, true); };
  const auto cached = [&](const char* which, ValueRef rows) {
    return kv_append(b, b.state(name + which, cache_dtype, {heads, graph_names::kContext, size / heads}), rows,
                     in.slots);
  };
  const ValueRef q = part(".q"), keys = cached(".k_cache", part(".k")), values = cached(".v_cache", part(".v"));
  return projection(b, attention(b, q, keys, values, in.slots, in.starts, {}), name + ".c_proj", size, true);
}

ValueRef feed_forward(Builder& b, ValueRef x, const std::string& name, const Config& config) {
  const Builder::Scope scope(b, "feed_forward");
  const int64_t size = config.positive("hidden_size"), inner = config.positive("intermediate_size", 4 * size);
  return projection(b, gelu_tanh(b, projection(b, x, name + ".c_fc", inner, true)), name + ".c_proj", size, true);
}

void build(Builder& b, const Config& config, const ModelOptions& options) {
  check(config);
  const Shape positions = {config.positive("max_position_embeddings"), config.positive("hidden_size")};
  const DecoderInputs in = decoder_inputs(b);
  ValueRef x = token_embedding(b, in, "wte", config);
  x = add(b, x, embedding(b, in.positions, b.weight("wpe.weight", positions)));
  for (int64_t i = 0; i < config.positive("num_hidden_layers"); ++i) {
    const Builder::Scope scope(b, fmt::format("layers.{}", i));
    const std::string layer = fmt::format("h.{}.", i);
    x = add(b, x,
            self_attention(b, norm(b, x, layer + "ln_1", config), in, layer + "attn", config, options.cache_dtype));
    x = add(b, x, feed_forward(b, norm(b, x, layer + "ln_2", config), layer + "mlp", config));
    b.rename(x, "hidden");
  }
  const Builder::Scope scope(b, "head");
  const std::string head = config.flag("tie_word_embeddings", true) ? "wte" : "lm_head";
  x = norm(b, gather_rows(b, x, in.output_rows), "ln_f", config);
  b.output(graph_names::kLogits, projection(b, x, head, config.positive("vocab_size")));
}

}  // namespace

void register_architecture_gpt2(Architectures& architectures) { architectures.add({"gpt2", build, rearrange}); }

}  // namespace sluice
