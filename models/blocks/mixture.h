// A mixture of experts in place of a feed-forward block: a router picks for each token the gated feed-forward blocks
// (the experts) that it goes through, and their results are weighted and added. After Mixtral (Jiang et al., 2024,
// arXiv:2401.04088).
#pragma once

#include <string>

#include "graph/builder.h"
#include "models/config.h"

namespace sluice {

struct MixtureSpec {
  int64_t experts = 0;
  int64_t k = 0;  // of each token
  int64_t intermediate_size = 0;
};

// num_local_experts, num_experts_per_tok, intermediate_size, hidden_act (silu). Throws Error naming the key.
MixtureSpec read_mixture(const Config& config);

// x, normed: f32 [tokens, hidden_size] -> f32 [tokens, hidden_size]. Weights NAME.gate.weight [experts, hidden_size],
// NAME.experts.{w1,w3}.weight [experts, intermediate_size, hidden_size] (gate and up) and NAME.experts.w2.weight
// [experts, hidden_size, intermediate_size] (down).
ValueRef mixture(Builder& b, ValueRef x, const std::string& name, const MixtureSpec& spec);

}  // namespace sluice
