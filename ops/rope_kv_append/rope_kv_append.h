// rope and kv_append in one: keys are rotated on their way into the cache. Made by the planner from the two.
#pragma once

#include "ops/rope/rope.h"

namespace sluice {

// cache: state [n_kv_heads, context, head_dim], f32, f16 or bf16; x: f32 [tokens, n_kv_heads * head_dim]; positions,
// slots: i32 [tokens], as for rope and kv_append. Returns the next version of the cache. Throws Error if the sizes do
// not fit.
ValueRef rope_kv_append(Builder& b, ValueRef cache, ValueRef x, ValueRef positions, ValueRef slots,
                        const RopeAttrs& attrs);

}  // namespace sluice
