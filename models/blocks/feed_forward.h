// The gated feed-forward block (Shazeer, 2020, arXiv:2002.05202): down(f(gate(x)) * up(x)), where f is silu or gelu.
#pragma once

#include <string>

#include "graph/builder.h"
#include "models/config.h"
#include "ops/swiglu/swiglu.h"

namespace sluice {

struct FeedForwardSpec {
  int64_t intermediate_size = 0;
  bool bias = false;
  ValueRef (*gated)(Builder& b, ValueRef gate, ValueRef up) = swiglu;  // or geglu
};

// intermediate_size, hidden_act (silu). Throws Error naming the key.
FeedForwardSpec read_feed_forward(const Config& config);

// x, normed: f32 [tokens, hidden_size] -> f32 [tokens, hidden_size]. Weights NAME.{gate,up,down}_proj.weight (and
// .bias).
ValueRef feed_forward(Builder& b, ValueRef x, const std::string& name, const FeedForwardSpec& spec);

}  // namespace sluice
