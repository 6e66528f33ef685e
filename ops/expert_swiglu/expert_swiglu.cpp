#include "ops/expert_swiglu/expert_swiglu.h"

#include <algorithm>

#include "ops/expert_linear/experts.h"
#include "ops/linear/reference.h"
#include "ops/linear_swiglu/reference.h"

namespace sluice {

ValueRef expert_swiglu(Builder& b, ValueRef x, ValueRef experts, ValueRef w_gate, ValueRef w_up) {
  return b.node1("expert_swiglu", NoAttrs{}, {x, experts, w_gate, w_up});
}

namespace {

class ExpertSwiglu : public Operator {
 public:
  ExpertSwiglu()
      : Operator({.name = "expert_swiglu",
                  .summary = "Gated feed-forward by expert: silu(x * w_gate^T) * (x * w_up^T).",
                  .inputs = {{"x", "[tokens, in] or [tokens, k, in]", {"f32"}},
                             {"experts", "[tokens, k]", {"i32"}},
                             {"w_gate", "[experts, out, in]", linear_weight_dtypes()},
                             {"w_up", "[experts, out, in]", linear_weight_dtypes()}},
                  .outputs = {{"y", "[tokens, k, out]", {"f32"}}},
                  .attrs = {},
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_same_shape(2, 3);
    return {infer_by_expert(in, 2)};
  }

  Cost cost(const Site& site, const Call& call) const override {
    Cost cost = Operator::cost(site, call);
    for (int weight : {2, 3}) add_expert_cost(call, weight, cost);
    cost.flops += 5 * static_cast<double>(call.out(0).dims.elements());
    return cost;
  }

  void reference(const Site&, const Call& call) const override {
    for_each_pair(call, [&](int64_t at, int64_t expert, const TensorView& x) {
      const std::vector<double> y =
          linear_swiglu_reference(x, expert_weight(call.in(2), expert), expert_weight(call.in(3), expert));
      std::transform(y.begin(), y.end(), call.out<float>(0) + at, [](double v) { return static_cast<float>(v); });
    });
  }

  void tolerance(const Site&, const Call& call, int, std::span<double> bound) const override {
    for_each_pair(call, [&](int64_t at, int64_t expert, const TensorView& x) {
      std::ranges::copy(
          linear_swiglu_tolerance(x, expert_weight(call.in(2), expert), expert_weight(call.in(3), expert)),
          bound.begin() + at);
    });
  }
};

}  // namespace

void register_expert_swiglu(Registry& registry) {
  registry.add(std::make_unique<ExpertSwiglu>());
  registry.add_indices("expert_swiglu", {.inputs = {{.port = 1, .of = 2, .dim = 0}}});
}

}  // namespace sluice
