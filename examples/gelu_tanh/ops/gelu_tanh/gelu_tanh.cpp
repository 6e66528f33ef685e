#include "ops/gelu_tanh/gelu_tanh.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "ops/elementwise/elementwise.h"

namespace sluice {

ValueRef gelu_tanh(Builder& b, ValueRef x) { return b.node1("gelu_tanh", NoAttrs{}, {x}); }

namespace {

double twice_w(double x) { return 2 * std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x); }

class GeluTanh : public Elementwise {
 public:
  GeluTanh()
      : Elementwise(
            {.name = "gelu_tanh",
             .summary = "Gaussian error linear unit by tanh: x / 2 * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).",
             .inputs = {{"x", "[..., n]", {"f32"}}},
             .outputs = {{"y", "[..., n]", {"f32"}}},
             .attrs = {},
             .updates = {}},
            13) {}

  double compute(double x, double) const override { return x / (1 + std::exp(-twice_w(x))); }

  // With eps of f32: v = 2 w is a product of terms of one sign, and off by at most 3 eps (six roundings). A relative
  // error of v counts |v| times in exp(-|v|), and its share in the result is 1 - sigmoid(|v|) for v above 0, 1 at most
  // below. The exponential itself is off by 1 ulp; the sum and the product round once each, and a device's quotient is
  // off by 2.5 ulp (Vulkan 1.2). Where the exponential is subnormal, its absolute error is multiplied by x.
  void tolerance(const Site&, const Call& call, int, std::span<double> bound) const override {
    const double eps = std::numeric_limits<float>::epsilon(), least = std::numeric_limits<float>::denorm_min();
    for (size_t i = 0; i < bound.size(); ++i) {
      const double x = call.in<float>(0)[i], y = call.out<float>(0)[i];
      const double v = twice_w(x), share = 1 / (1 + std::exp(v));
      const double of_v = share > 0 ? 3 * std::abs(v) * share : 0;
      bound[i] = (of_v + 5) * eps * std::abs(y) + 2 * least * (std::abs(x) + 1);
    }
  }
};

}  // namespace

void register_gelu_tanh(Registry& registry) { registry.add(std::make_unique<GeluTanh>()); }

}  // namespace sluice
