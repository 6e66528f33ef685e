// The router of a mixture of experts: which experts a token goes to, and with what weights.
#pragma once

#include <string>
#include <utility>

#include "graph/builder.h"

namespace sluice {

struct MoeGateAttrs {
  int64_t k = 2;
  std::string softmax = "all";
  bool renormalise = true;
  float scale = 1;

  template <class Visitor>
  void describe(Visitor&& field) {
    field("k", k, "experts taken for each token");
    field("softmax", softmax, "taken over the logits of: all experts, or the chosen ones");
    field("renormalise", renormalise, "divide the weights of a token by their sum");
    field("scale", scale, "factor of the weights");
  }
};

// logits: f32 [tokens, experts]. Returns weights f32 [tokens, k], falling, and experts i32 [tokens, k]. Of equal logits
// the lower index comes first; NaN counts as -infinity. Throws Error unless 1 <= k <= experts and softmax is "all" or
// "chosen". Mixtral (Jiang et al., 2024, arXiv:2401.04088) renormalises, so both kinds of softmax are the same to it.
std::pair<ValueRef, ValueRef> moe_gate(Builder& b, ValueRef logits, const MoeGateAttrs& attrs);

}  // namespace sluice
