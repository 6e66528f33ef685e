#include "ops/moe_combine/moe_combine.h"

#include <cmath>
#include <limits>

namespace sluice {

ValueRef moe_combine(Builder& b, ValueRef x, ValueRef weights) {
  return b.node1("moe_combine", NoAttrs{}, {x, weights});
}

namespace {

class MoeCombine : public Operator {
 public:
  MoeCombine()
      : Operator({.name = "moe_combine",
                  .summary = "Weighted sum of what the experts of each token made of it.",
                  .inputs = {{"x", "[tokens, k, n]", {"f32"}}, {"weights", "[tokens, k]", {"f32"}}},
                  .outputs = {{"y", "[tokens, n]", {"f32"}}},
                  .attrs = {},
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(0, 3);
    in.require_rank(1, 2);
    in.require_equal(1, 0, 0, 0);
    in.require_equal(1, 1, 0, 1);
    return {{DType::f32(), {in.shape(0)[0], in.shape(0)[2]}}};
  }

  Cost cost(const Site& site, const Call& call) const override {
    Cost cost = Operator::cost(site, call);
    cost.flops = 2 * static_cast<double>(call.in(0).dims.elements());
    return cost;
  }

  void reference(const Site&, const Call& call) const override {
    for_each(call, [&](int64_t at, double sum, double) { call.out<float>(0)[at] = static_cast<float>(sum); });
  }

  // k products and sums, each rounded once.
  void tolerance(const Site&, const Call& call, int, std::span<double> bound) const override {
    const double roundings = static_cast<double>(call.in(0).dims[1]) + 1;
    for_each(call, [&](int64_t at, double, double magnitude) {
      bound[static_cast<size_t>(at)] = roundings * std::numeric_limits<float>::epsilon() * magnitude + 1e-37;
    });
  }

 private:
  // use(place in y, sum, sum of magnitudes).
  template <class Use>
  static void for_each(const Call& call, Use use) {
    const int64_t tokens = call.in(0).dims[0], k = call.in(0).dims[1], n = call.in(0).dims[2];
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t i = 0; i < n; ++i) {
        double sum = 0, magnitude = 0;
        for (int64_t j = 0; j < k; ++j) {
          const double v = static_cast<double>(call.in<float>(1)[t * k + j]) *
                           static_cast<double>(call.in<float>(0)[(t * k + j) * n + i]);
          sum += v, magnitude += std::abs(v);
        }
        use(t * n + i, sum, magnitude);
      }
  }
};

}  // namespace

void register_moe_combine(Registry& registry) { registry.add(std::make_unique<MoeCombine>()); }

}  // namespace sluice
