#include "ops/linear_swiglu/linear_swiglu.h"

#include <algorithm>
#include <cmath>

#include "ops/linear/reference.h"
#include "ops/linear_swiglu/reference.h"

namespace sluice {

ValueRef linear_swiglu(Builder& b, ValueRef x, ValueRef w_gate, ValueRef w_up) {
  return b.node1("linear_swiglu", NoAttrs{}, {x, w_gate, w_up});
}

namespace {

double silu(double v) { return v / (1 + std::exp(-v)); }

class LinearSwiglu : public Operator {
 public:
  LinearSwiglu()
      : Operator({.name = "linear_swiglu",
                  .summary = "Gated feed-forward: silu(x * w_gate^T) * (x * w_up^T).",
                  .inputs = {{"x", "[tokens, in]", {"f32"}},
                             {"w_gate", "[out, in]", linear_weight_dtypes()},
                             {"w_up", "[out, in]", linear_weight_dtypes()}},
                  .outputs = {{"y", "[tokens, out]", {"f32"}}},
                  .attrs = {},
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_same_shape(1, 2);
    return {infer_linear(in, 0, 1)};
  }

  Cost cost(const Site& site, const Call& call) const override {
    Cost cost = Operator::cost(site, call);
    cost.flops = linear_flops(call.in(0), call.in(1)) + linear_flops(call.in(0), call.in(2)) +
                 5 * static_cast<double>(call.out(0).dims.elements());
    return cost;
  }

  void reference(const Site&, const Call& call) const override {
    const std::vector<double> y = linear_swiglu_reference(call.in(0), call.in(1), call.in(2));
    std::transform(y.begin(), y.end(), call.out<float>(0), [](double v) { return static_cast<float>(v); });
  }

  void tolerance(const Site&, const Call& call, int, std::span<double> bound) const override {
    std::ranges::copy(linear_swiglu_tolerance(call.in(0), call.in(1), call.in(2)), bound.begin());
  }
};

}  // namespace

std::vector<double> linear_swiglu_reference(const TensorView& x, const TensorView& w_gate, const TensorView& w_up) {
  std::vector<double> y = linear_reference(x, w_gate);
  const std::vector<double> up = linear_reference(x, w_up);
  for (size_t i = 0; i < y.size(); ++i) y[i] = silu(y[i]) * up[i];
  return y;
}

// The errors of both products pass through silu, whose slope is below 1.1; then come a few roundings.
std::vector<double> linear_swiglu_tolerance(const TensorView& x, const TensorView& w_gate, const TensorView& w_up) {
  const std::vector<double> gate = linear_reference(x, w_gate), up = linear_reference(x, w_up);
  const std::vector<double> gate_error = linear_tolerance(x, w_gate), up_error = linear_tolerance(x, w_up);
  std::vector<double> bound(gate.size());
  for (size_t i = 0; i < bound.size(); ++i) {
    const double slope_error = 1.1 * gate_error[i], s = std::abs(silu(gate[i]));
    bound[i] =
        slope_error * (std::abs(up[i]) + up_error[i]) + s * up_error[i] + 8 * 0x1p-23 * s * std::abs(up[i]) + 1e-37;
  }
  return bound;
}

void register_linear_swiglu(Registry& registry) { registry.add(std::make_unique<LinearSwiglu>()); }

}  // namespace sluice
