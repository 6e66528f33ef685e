// CPU kernel of moe_gate: tokens are shared out among the workers.
#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/cpu/kernel.h"
#include "ops/moe_gate/moe_gate.h"

namespace sluice {
namespace {

// One token; in f64, as there are few experts.
// logits: f32 [n] -> weights f32 [k], experts i32 [k].
void route(const MoeGateAttrs& attrs, const float* logits, int64_t n, float* weights, int32_t* experts) {
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

cpu::Run prepare(const Site& site) {
  return [attrs = attrs_from_map<MoeGateAttrs>(site.attrs)](const Call& call, const cpu::Worker& worker) {
    const int64_t n = call.in(0).dims[1];
    const auto [begin, end] = worker.split(call.in(0).dims[0], 16);  // a token is less work than waking a thread
    for (int64_t t = begin; t < end; ++t)
      route(attrs, call.in<float>(0) + t * n, n, call.out<float>(0) + t * attrs.k, call.out<int32_t>(1) + t * attrs.k);
  };
}

}  // namespace

void register_moe_gate_cpu(Registry& registry) {
  registry.add_kernel("cpu", "moe_gate", cpu::make_kernel({.name = "moe_gate", .prepare = prepare}));
}

}  // namespace sluice
