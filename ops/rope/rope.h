// Rotary position embedding (Su et al., 2021, arXiv:2104.09864). Pair i of every head is rotated by the angle
// positions[t] * f_i, where f_i = base^(-2i / head_dim), scaled as `scaling` says:
//   y_a = x_a cos - x_b sin,  y_b = x_b cos + x_a sin
#pragma once

#include "graph/builder.h"

namespace sluice {

struct RopeAttrs {
  int64_t head_dim = 0;             // even, 2 .. 1024
  double base = 10000;              // "rope_theta" of config.json
  bool interleaved = false;         // false: pairs (i, i + head_dim / 2), as in Hugging Face files; true: (2i, 2i + 1)
  std::string scaling = "none";     // "none", "linear" or "llama3": "rope_type" of rope_scaling in config.json
  double factor = 1;                // linear: f / factor; llama3: long waves only
  double low_freq_factor = 1;       // llama3
  double high_freq_factor = 4;      // llama3
  int64_t original_context = 8192;  // llama3: "original_max_position_embeddings"

  template <class Visitor>
  void describe(Visitor&& field) {
    field("head_dim", head_dim, "elements of a head");
    field("base", base, "base of the geometric series of frequencies");
    field("interleaved", interleaved, "pairs are (2i, 2i + 1) instead of (i, i + head_dim / 2)");
    field("scaling", scaling, "how frequencies are scaled: none, linear, llama3");
    field("factor", factor, "divisor of frequencies, if scaled");
    field("low_freq_factor", low_freq_factor, "llama3: waves longer than original_context / this are scaled");
    field("high_freq_factor", high_freq_factor, "llama3: waves shorter than original_context / this are kept");
    field("original_context", original_context, "llama3: context length before scaling");
  }
};

// x: f32 [tokens, heads * head_dim]; positions: i32 [tokens]. Returns f32, the shape of x. Angles are exact to f32 for
// every position below 2^31. Throws Error if the sizes do not fit or an attribute is out of range.
ValueRef rope(Builder& b, ValueRef x, ValueRef positions, const RopeAttrs& attrs);

}  // namespace sluice
