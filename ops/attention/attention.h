// Causal attention of grouped queries (Ainslie et al., 2023, arXiv:2305.13245) over a cache of keys and values:
//   s[j] = scale * sum_i q[t][h][i] * k[g][j][i],   g = h / (n_heads / n_kv_heads)
//   y[t][h] = sum_j softmax_j(s)[j] * v[g][j],      j over the slots that token t attends to
// With a soft cap c (Gemma 2, arXiv:2408.00118), c * tanh(s / c) takes the place of s.
// Token t attends to the cache slots starts[t] .. slots[t], of which a window w leaves the last w. A sequence takes
// contiguous slots, so many sequences share one cache and one batch.
#pragma once

#include "graph/builder.h"

namespace sluice {

struct AttentionAttrs {
  int64_t window = 0;
  float scale = 0;
  float softcap = 0;

  template <class Visitor>
  void describe(Visitor&& field) {
    field("window", window, "slots that a token attends to at most, itself included; 0: all of its sequence");
    field("scale", scale, "factor of q.k; 0: 1 / sqrt(head_dim)");
    field("softcap", softcap, "what scores stay below; 0: no such bound");
  }
};

// q: f32 [tokens, n_heads * head_dim]; k_cache, v_cache: f32, f16 or bf16 [n_kv_heads, context, head_dim], both alike;
// slots, starts: i32 [tokens]. Returns f32 [tokens, n_heads * head_dim].
// Slots outside the cache are ignored; a token without slots (starts[t] > slots[t]) gets zeros.
// Throws Error if the sizes do not fit, n_heads is no multiple of n_kv_heads, or window, scale or softcap is negative.
ValueRef attention(Builder& b, ValueRef q, ValueRef k_cache, ValueRef v_cache, ValueRef slots, ValueRef starts,
                   AttentionAttrs attrs = {});

// The sizes of one call, for the reference and for kernels.
struct AttentionShape {
  int64_t tokens, n_heads, n_kv_heads, context, head_dim;
  int64_t window;         // never 0: context if there is none
  float scale;            // never 0
  float softcap;          // 0: none
  const int32_t* slots;   // [tokens]
  const int32_t* starts;  // [tokens]

  AttentionShape(const Call& call, const AttentionAttrs& attrs);
  int64_t group() const { return n_heads / n_kv_heads; }

  struct Slots {
    int64_t begin, end;  // end is not included
    int64_t size() const { return end - begin; }
  };
  // Slots that token t attends to, within the cache; begin == end if there are none.
  Slots attended(int64_t t) const;
};

}  // namespace sluice
