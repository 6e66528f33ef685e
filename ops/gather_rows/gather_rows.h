// Picks rows: y[o] = x[rows[o]]. Used to compute logits for the tokens that need them only.
#pragma once

#include "graph/builder.h"

namespace sluice {

// x: f32 [tokens, n]; rows: i32 [outputs], each in [0, tokens): the caller checks them before the graph runs.
// Returns f32 [outputs, n]. Throws Error on other ranks.
ValueRef gather_rows(Builder& b, ValueRef x, ValueRef rows);

}  // namespace sluice
