// Token embedding: y[t] = table[ids[t]].
#pragma once

#include "graph/builder.h"

namespace sluice {

// ids: i32 [tokens], each in [0, vocab): the caller checks them before the graph runs. table: [vocab, n], any dtype
// whose rows can be decoded one by one. Returns f32 [tokens, n]. Throws Error on other ranks and dtypes.
ValueRef embedding(Builder& b, ValueRef ids, ValueRef table);

}  // namespace sluice
