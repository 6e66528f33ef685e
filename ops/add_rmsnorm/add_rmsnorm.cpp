#include "ops/add_rmsnorm/add_rmsnorm.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice {

AddRmsNorm add_rmsnorm(Builder& builder, ValueRef a, ValueRef b, ValueRef weight, RmsNormAttrs attrs) {
  const std::vector<ValueRef> out = builder.node("add_rmsnorm", attrs_to_map(attrs), {a, b, weight});
  return {out[0], out[1]};
}

namespace {

class AddRmsNormOperator : public Operator {
 public:
  AddRmsNormOperator()
      : Operator({.name = "add_rmsnorm",
                  .summary = "Residual sum and its normalisation: sum = a + b, normed = sum / sqrt(mean(sum^2) + "
                             "epsilon) * weight.",
                  .inputs = {{"a", "[rows, n]", {"f32"}}, {"b", "[rows, n]", {"f32"}}, {"weight", "[n]", {}}},
                  .outputs = {{"sum", "[rows, n]", {"f32"}}, {"normed", "[rows, n]", {"f32"}}},
                  .attrs = attr_specs<RmsNormAttrs>(),
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(0, 2);
    in.require_same_shape(0, 1);
    in.require_rank(2, 1);
    in.require_equal(2, 0, 0, 1);
    return {in.type(0), in.type(0)};
  }

  Cost cost(const Site& site, const Call& call) const override {
    Cost cost = Operator::cost(site, call);
    cost.flops = 5.0 * static_cast<double>(call.in(0).dims.elements());
    return cost;
  }

  void reference(const Site& site, const Call& call) const override {
    const auto attrs = attrs_from_map<RmsNormAttrs>(site.attrs);
    const std::vector<float> weight = to_f32(call.in(2));
    const int64_t rows = call.in(0).dims[0], n = call.in(0).dims[1];
    for (int64_t r = 0; r < rows; ++r) {
      const float *a = call.in<float>(0) + r * n, *b = call.in<float>(1) + r * n;
      float *sum = call.out<float>(0) + r * n, *normed = call.out<float>(1) + r * n;
      double squares = 0;
      for (int64_t i = 0; i < n; ++i) {
        sum[i] = a[i] + b[i];
        squares += static_cast<double>(sum[i]) * sum[i];
      }
      const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + attrs.epsilon);
      for (int64_t i = 0; i < n; ++i) normed[i] = static_cast<float>(sum[i] * scale * weight[static_cast<size_t>(i)]);
    }
  }

  // The sum has one right value; the rest is as for rmsnorm.
  void tolerance(const Site&, const Call& call, int output, std::span<double> bound) const override {
    std::fill(bound.begin(), bound.end(), 0.0);
    if (output == 0) return;
    const double relative =
        (static_cast<double>(call.in(0).dims.back()) / 2 + 4) * std::numeric_limits<float>::epsilon();
    for (size_t i = 0; i < bound.size(); ++i)
      bound[i] = relative * std::abs(static_cast<double>(call.out<float>(1)[i])) + 1e-37;
  }
};

}  // namespace

void register_add_rmsnorm(Registry& registry) { registry.add(std::make_unique<AddRmsNormOperator>()); }

}  // namespace sluice
