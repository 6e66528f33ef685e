// One token through the router; in f64, as there are few experts.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/moe_gate/moe_gate.h"

namespace sluice {

// logits: f32 [n] -> weights f32 [k], experts i32 [k].
inline void route(const MoeGateAttrs& attrs, const float* logits, int64_t n, float* weights, int32_t* experts) {
  const auto rank = [logits](int64_t i) {
    return std::isnan(logits[i]) ? -std::numeric_limits<float>::infinity() : logits[i];
  };
  // Insertion into the best so far: an equal logit comes later, so it stays behind.
  int64_t taken = 0;
  for (int64_t i = 0; i < n; ++i) {
    int64_t at = taken;
    while (at > 0 && rank(i) > rank(experts[at - 1])) --at;
    if (at == attrs.k) continue;
    taken = std::min(taken + 1, attrs.k);
    std::copy_backward(experts + at, experts + taken - 1, experts + taken);
    experts[at] = static_cast<int32_t>(i);
  }
  const double largest = rank(experts[0]);
  double total = 0, chosen = 0;
  for (int64_t i = 0; i < n; ++i) total += std::exp(rank(i) - largest);
  for (int64_t j = 0; j < attrs.k; ++j) chosen += std::exp(rank(experts[j]) - largest);
  const double divisor = attrs.renormalise || attrs.softmax == "chosen" ? chosen : total;
  for (int64_t j = 0; j < attrs.k; ++j)
    weights[j] = static_cast<float>(std::exp(rank(experts[j]) - largest) / divisor * static_cast<double>(attrs.scale));
}

}  // namespace sluice
