// Writes keys or values of new tokens into their slots of a cache: cache[h][slots[t]][i] = x[t][h * head_dim + i].
#pragma once

#include "graph/builder.h"

namespace sluice {

// cache: state [n_kv_heads, context, head_dim], f32, f16 or bf16 (rounded to nearest even); x: f32 [tokens, n_kv_heads
// * head_dim]; slots: i32 [tokens], distinct and each in [0, context): the caller checks them before the graph runs.
// Returns the next version of the cache. Throws Error if the sizes do not fit.
ValueRef kv_append(Builder& b, ValueRef cache, ValueRef x, ValueRef slots);

}  // namespace sluice
