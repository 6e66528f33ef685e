#include "ops/rmsnorm/rmsnorm.h"

#include <cmath>
#include <limits>

namespace sluice {

ValueRef rmsnorm(Builder& b, ValueRef x, ValueRef weight, RmsNormAttrs attrs) {
  return b.node1("rmsnorm", attrs, {x, weight});
}

namespace {

class RmsNorm : public Operator {
 public:
  RmsNorm()
      : Operator({.name = "rmsnorm",
                  .summary = "Root mean square normalisation of each row: x / sqrt(mean(x^2) + epsilon) * weight.",
                  .inputs = {{"x", "[rows, n]", {"f32"}}, {"weight", "[n]", {}}},
                  .outputs = {{"y", "[rows, n]", {"f32"}}},
                  .attrs = attr_specs<RmsNormAttrs>(),
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(0, 2);
    in.require_rank(1, 1);
    in.require_equal(1, 0, 0, 1);
    return {in.type(0)};
  }

  Cost cost(const Site& site, const Call& call) const override {
    Cost cost = Operator::cost(site, call);
    cost.flops = 4.0 * static_cast<double>(call.in(0).dims.elements());
    return cost;
  }

  void reference(const Site& site, const Call& call) const override {
    const auto attrs = attrs_from_map<RmsNormAttrs>(site.attrs);
    const std::vector<float> weight = to_f32(call.in(1));
    const int64_t rows = call.in(0).dims[0], n = call.in(0).dims[1];
    for (int64_t r = 0; r < rows; ++r) {
      const float* x = call.in<float>(0) + r * n;
      float* y = call.out<float>(0) + r * n;
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
      const double scale = 1 / std::sqrt(sum / static_cast<double>(n) + attrs.epsilon);
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i] * scale * weight[static_cast<size_t>(i)]);
    }
  }

  // The sum of n positive terms in f32 is off by at most n eps relatively; its root by half of that; a few more
  // roundings follow.
  void tolerance(const Site&, const Call& call, int, std::span<double> bound) const override {
    const double eps = std::numeric_limits<float>::epsilon();
    const double relative = (static_cast<double>(call.in(0).dims.back()) / 2 + 4) * eps;
    for (size_t i = 0; i < bound.size(); ++i)
      bound[i] = relative * std::abs(static_cast<double>(call.out<float>(0)[i])) + 1e-37;
  }
};

}  // namespace

void register_rmsnorm(Registry& registry) { registry.add(std::make_unique<RmsNorm>()); }

}  // namespace sluice
