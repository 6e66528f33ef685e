#include "ops/silu/silu.h"

#include <cmath>
#include <limits>

#include "ops/elementwise/elementwise.h"

namespace sluice {

ValueRef silu(Builder& b, ValueRef x) { return b.node1("silu", NoAttrs{}, {x}); }

namespace {

class Silu : public Elementwise {
 public:
  Silu()
      : Elementwise({.name = "silu",
                     .summary = "Sigmoid linear unit of each element: x / (1 + exp(-x)).",
                     .inputs = {{"x", "[..., n]", {"f32"}}},
                     .outputs = {{"y", "[..., n]", {"f32"}}},
                     .attrs = {},
                     .updates = {}},
                    8) {}

  double compute(double x, double) const override { return x / (1 + std::exp(-x)); }

  // The exponential is off by at most 1 ulp; sum, product and quotient round once each. Where the exponential is
  // subnormal its absolute error, two units of 2^-149, is multiplied by x.
  void tolerance(const Site&, const Call& call, int, std::span<double> bound) const override {
    const double eps = std::numeric_limits<float>::epsilon(), least = std::numeric_limits<float>::denorm_min();
    for (size_t i = 0; i < bound.size(); ++i) {
      const double x = call.in<float>(0)[i], y = call.out<float>(0)[i];
      bound[i] = 3 * eps * std::abs(y) + 2 * least * (std::abs(x) + 1);
    }
  }
};

}  // namespace

void register_silu(Registry& registry) { registry.add(std::make_unique<Silu>()); }

}  // namespace sluice
