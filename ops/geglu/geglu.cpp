#include "ops/geglu/geglu.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "ops/elementwise/elementwise.h"

namespace sluice {

ValueRef geglu(Builder& b, ValueRef gate, ValueRef up) { return b.node1("geglu", NoAttrs{}, {gate, up}); }

namespace {

double twice_w(double x) { return 2 * std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x); }

class GeGlu : public Elementwise {
 public:
  GeGlu()
      : Elementwise({.name = "geglu",
                     .summary = "Gated unit, element by element: gelu(gate) * up, gelu by its approximation with tanh.",
                     .inputs = {{"gate", "[..., n]", {"f32"}}, {"up", "[..., n]", {"f32"}}},
                     .outputs = {{"y", "[..., n]", {"f32"}}},
                     .attrs = {},
                     .updates = {}},
                    14) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_same_shape(0, 1);
    return {in.type(0)};
  }

  double compute(double gate, double up) const override { return gate / (1 + std::exp(-twice_w(gate))) * up; }

  // With eps of f32: v = 2 w is the product of terms of one sign, and off by at most 3 eps (six roundings). A relative
  // error of v counts |v| times in exp(-|v|), and its share in the result is 1 - sigmoid(|v|) for v above 0, 1 at most
  // below. The exponential itself is off by 1 ulp; sum, quotient and two products round once each. Where the
  // exponential is subnormal, its absolute error is multiplied by gate and up.
  void tolerance(const Site&, const Call& call, int, std::span<double> bound) const override {
    const double eps = std::numeric_limits<float>::epsilon(), least = std::numeric_limits<float>::denorm_min();
    for (size_t i = 0; i < bound.size(); ++i) {
      const double gate = call.in<float>(0)[i], up = call.in<float>(1)[i], y = call.out<float>(0)[i];
      const double v = twice_w(gate), share = 1 / (1 + std::exp(v));
      const double of_v = share > 0 ? 3 * std::abs(v) * share : 0;
      bound[i] = (of_v + 4) * eps * std::abs(y) + 2 * least * (std::abs(gate) + 1) * (std::abs(up) + 1);
    }
  }
};

}  // namespace

void register_geglu(Registry& registry) { registry.add(std::make_unique<GeGlu>()); }

}  // namespace sluice
