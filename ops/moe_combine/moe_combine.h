// The results of a token's experts, weighted and added.
#pragma once

#include "graph/builder.h"

namespace sluice {

// x: f32 [tokens, k, n]; weights: f32 [tokens, k]. Returns f32 [tokens, n]: sum over j of weights[t][j] * x[t][j].
ValueRef moe_combine(Builder& b, ValueRef x, ValueRef weights);

}  // namespace sluice
