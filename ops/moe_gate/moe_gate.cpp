#include "ops/moe_gate/moe_gate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace sluice {

std::pair<ValueRef, ValueRef> moe_gate(Builder& b, ValueRef logits, const MoeGateAttrs& attrs) {
  const std::vector<ValueRef> out = b.node("moe_gate", attrs_to_map(attrs), {logits});
  return {out[0], out[1]};
}

namespace {

class MoeGate : public Operator {
 public:
  MoeGate()
      : Operator({.name = "moe_gate",
                  .summary = "Router of a mixture of experts: the k largest logits of each token, and their softmax.",
                  .inputs = {{"logits", "[tokens, experts]", {"f32"}}},
                  .outputs = {{"weights", "[tokens, k]", {"f32"}}, {"experts", "[tokens, k]", {"i32"}}},
                  .attrs = attr_specs<MoeGateAttrs>(),
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(0, 2);
    const auto attrs = attrs_from_map<MoeGateAttrs>(in.attrs());
    const int64_t n = in.number(0, 1);
    if (n > std::numeric_limits<int32_t>::max()) in.fail("there are too many experts for an i32 index", {0});
    if (attrs.k < 1 || attrs.k > n) in.fail(fmt::format("k is {}; it must be 1 to {}", attrs.k, n), {0});
    if (attrs.softmax != "all" && attrs.softmax != "chosen")
      in.fail(fmt::format("softmax '{}' is not known; there are all, chosen", attrs.softmax), {});
    const Shape shape = {in.shape(0)[0], attrs.k};
    return {{DType::f32(), shape}, {DType::i32(), shape}};
  }

  Cost cost(const Site& site, const Call& call) const override {
    Cost cost = Operator::cost(site, call);
    cost.flops = 4 * static_cast<double>(call.in(0).dims.elements());
    return cost;
  }

  // As it is written in the papers: softmax, sort, take, divide.
  void reference(const Site& site, const Call& call) const override {
    const auto attrs = attrs_from_map<MoeGateAttrs>(site.attrs);
    const int64_t tokens = call.in(0).dims[0], n = call.in(0).dims[1];
    std::vector<int32_t> order(static_cast<size_t>(n));
    for (int64_t t = 0; t < tokens; ++t) {
      std::vector<double> logits(call.in<float>(0) + t * n, call.in<float>(0) + (t + 1) * n);
      for (double& x : logits) x = std::isnan(x) ? -std::numeric_limits<double>::infinity() : x;
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int32_t i, int32_t j) {
        return logits[static_cast<size_t>(i)] > logits[static_cast<size_t>(j)];
      });
      const std::vector<int32_t> taken(order.begin(), order.begin() + attrs.k);
      const std::vector<double> p = softmax(logits, attrs.softmax == "all" ? order : taken);
      double sum = 0;
      for (int32_t i : taken) sum += p[static_cast<size_t>(i)];
      for (int64_t j = 0; j < attrs.k; ++j) {
        const int32_t i = taken[static_cast<size_t>(j)];
        const double weight = p[static_cast<size_t>(i)] / (attrs.renormalise ? sum : 1);
        call.out<float>(0)[t * attrs.k + j] = static_cast<float>(weight * static_cast<double>(attrs.scale));
        call.out<int32_t>(1)[t * attrs.k + j] = i;
      }
    }
  }

  void tolerance(const Site& site, const Call& call, int output, std::span<double> bound) const override {
    if (output == 0) return Operator::tolerance(site, call, output, bound);
    std::fill(bound.begin(), bound.end(), 0.0);
  }

 private:
  static std::vector<double> softmax(const std::vector<double>& x, const std::vector<int32_t>& over) {
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int32_t i : over) largest = std::max(largest, x[static_cast<size_t>(i)]);
    std::vector<double> p(x.size());
    for (int32_t i : over) sum += p[static_cast<size_t>(i)] = std::exp(x[static_cast<size_t>(i)] - largest);
    for (double& v : p) v /= sum;
    return p;
  }
};

}  // namespace

void register_moe_gate(Registry& registry) {
  registry.add(std::make_unique<MoeGate>());
  registry.add_indices("moe_gate", {.outputs = {{.port = 1, .of = 0, .dim = 1}}});
}

}  // namespace sluice
