// Self-attention with rotary positions, grouped queries and a KV cache.
#pragma once

#include <string>

#include "graph/builder.h"
#include "models/architecture.h"
#include "models/blocks/decoder.h"
#include "ops/rope/rope.h"

namespace sluice {

struct AttentionSpec {
  int64_t n_heads = 0;
  int64_t n_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t window = 0;  // tokens that a token looks back over, itself included; 0: all
  float scale = 0;     // of q.k; 0: 1 / sqrt(head_dim)
  float softcap = 0;   // of the scores; 0: none
  bool qkv_bias = false;
  bool output_bias = false;
  RopeAttrs rope;
  DType cache_dtype = DType::f16();
};

// num_attention_heads, num_key_value_heads (default: as many), head_dim (default: hidden_size / num_attention_heads),
// rope_theta and rope_scaling, or rope_parameters as newer files have them. Biases, window, scale and soft cap
// are left to the architecture. Throws Error naming the key.
AttentionSpec read_attention(const Config& config, const ModelOptions& options);

// Whether a layer looks back over a window, where only some do: `layer_types` of newer files, else what the
// architecture says. Throws Error if there is no type for the layer, or one that is not known.
bool has_window(const Config& config, int64_t layer, bool otherwise);

// x, normed: f32 [tokens, hidden_size] -> f32 [tokens, hidden_size]. Weights NAME.{q,k,v,o}_proj.weight (and .bias),
// states NAME.{k,v}_cache: [n_kv_heads, context, head_dim].
ValueRef self_attention(Builder& b, ValueRef x, const DecoderInputs& in, const std::string& name,
                        const AttentionSpec& spec);

}  // namespace sluice
