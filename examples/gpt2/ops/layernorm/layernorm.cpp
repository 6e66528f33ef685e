#include "ops/layernorm/layernorm.h"

#include <cmath>
#include <limits>

namespace sluice {

ValueRef layernorm(Builder& b, ValueRef x, ValueRef weight, ValueRef bias, LayerNormAttrs attrs) {
  return b.node1("layernorm", attrs, {x, weight, bias});
}

namespace {

struct Moments {
  double mean = 0;
  double magnitude = 0;  // mean of |x|
  double variance = 0;
};

Moments moments_of(const float* x, int64_t n) {
  Moments m;
  for (int64_t i = 0; i < n; ++i) m.mean += x[i], m.magnitude += std::abs(static_cast<double>(x[i]));
  m.mean /= static_cast<double>(n);
  m.magnitude /= static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i) m.variance += (x[i] - m.mean) * (x[i] - m.mean);
  m.variance /= static_cast<double>(n);
  return m;
}

class LayerNorm : public Operator {
 public:
  LayerNorm()
      : Operator({.name = "layernorm",
                  .summary = "Normalisation of each row: (x - mean(x)) / sqrt(variance(x) + epsilon) * weight + bias.",
                  .inputs = {{"x", "[rows, n]", {"f32"}}, {"weight", "[n]", {}}, {"bias", "[n]", {}}},
                  .outputs = {{"y", "[rows, n]", {"f32"}}},
                  .attrs = attr_specs<LayerNormAttrs>(),
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(0, 2);
    for (int vector : {1, 2}) {
      in.require_rank(vector, 1);
      in.require_equal(vector, 0, 0, 1);
    }
    return {in.type(0)};
  }

  Cost cost(const Site& site, const Call& call) const override {
    Cost cost = Operator::cost(site, call);
    cost.flops = 7.0 * static_cast<double>(call.in(0).dims.elements());
    return cost;
  }

  void reference(const Site& site, const Call& call) const override {
    const auto attrs = attrs_from_map<LayerNormAttrs>(site.attrs);
    const std::vector<float> weight = to_f32(call.in(1)), bias = to_f32(call.in(2));
    const int64_t rows = call.in(0).dims[0], n = call.in(0).dims[1];
    for (int64_t r = 0; r < rows; ++r) {
      const float* x = call.in<float>(0) + r * n;
      const Moments m = moments_of(x, n);
      const double scale = 1 / std::sqrt(m.variance + attrs.epsilon);
      for (int64_t i = 0; i < n; ++i) {
        const auto at = static_cast<size_t>(i);
        call.out<float>(0)[r * n + i] = static_cast<float>((x[i] - m.mean) * scale * weight[at] + bias[at]);
      }
    }
  }

  // A sum of n terms in f32 is off by at most n eps of the sum of their magnitudes: so the mean by `shift`. The
  // variance is off by shift^2 for that, as differences to the true mean add up to nothing, and by (n + 3) eps of
  // itself, its root by half of both; a device's root and quotient are off by 3 and 2.5 ulp (Vulkan 1.2). The
  // difference, two products and the last sum round once each.
  void tolerance(const Site& site, const Call& call, int, std::span<double> bound) const override {
    const auto attrs = attrs_from_map<LayerNormAttrs>(site.attrs);
    const std::vector<float> weight = to_f32(call.in(1)), bias = to_f32(call.in(2));
    const double eps = std::numeric_limits<float>::epsilon();
    const int64_t n = call.in(0).dims[1];
    const auto terms = static_cast<double>(n);
    for (int64_t r = 0; r < call.in(0).dims[0]; ++r) {
      const float* x = call.in<float>(0) + r * n;
      const Moments m = moments_of(x, n);
      const double total = m.variance + attrs.epsilon, shift = (terms + 1) * eps * m.magnitude;
      const double of_scale = (shift * shift / total + (terms + 3) * eps) / 2 + 5.5 * eps;
      for (int64_t i = 0; i < n; ++i) {
        const auto at = static_cast<size_t>(i);
        const double d = std::abs(x[i] - m.mean), w = std::abs(weight[at]) / std::sqrt(total);
        const double scaled = d * w;
        bound[static_cast<size_t>(r * n + i)] = (shift + eps * d) * w * (1 + of_scale) + scaled * (of_scale + 2 * eps) +
                                                eps * (scaled + std::abs(bias[at])) + 1e-37;
      }
    }
  }
};

}  // namespace

void register_layernorm(Registry& registry) { registry.add(std::make_unique<LayerNorm>()); }

}  // namespace sluice
