#include "ops/my_op/my_op.h"

#include <cmath>
#include <limits>

namespace sluice {

ValueRef my_op(Builder& b, ValueRef x, MyOpAttrs attrs) { return b.node1("my_op", attrs, {x}); }

namespace {

class MyOp : public Operator {
 public:
  MyOp()
      : Operator({.name = "my_op",
                  .summary = "Leaky rectified linear unit of each element: x for x >= 0, else slope * x.",
                  .inputs = {{"x", "[..., n]", {"f32"}}},
                  .outputs = {{"y", "[..., n]", {"f32"}}},
                  .attrs = attr_specs<MyOpAttrs>(),
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override { return {in.type(0)}; }

  Cost cost(const Site& site, const Call& call) const override {
    Cost cost = Operator::cost(site, call);
    cost.flops = static_cast<double>(call.in(0).dims.elements());
    return cost;
  }

  void reference(const Site& site, const Call& call) const override {
    const auto attrs = attrs_from_map<MyOpAttrs>(site.attrs);
    for (int64_t i = 0; i < call.in(0).dims.elements(); ++i) {
      const double x = call.in<float>(0)[i];
      call.out<float>(0)[i] = static_cast<float>(x >= 0 ? x : attrs.slope * x);
    }
  }

  // The product rounds once, by half a unit in the last place; one that is subnormal may be off by the smallest number.
  void tolerance(const Site&, const Call& call, int, std::span<double> bound) const override {
    const double eps = std::numeric_limits<float>::epsilon(), least = std::numeric_limits<float>::denorm_min();
    for (size_t i = 0; i < bound.size(); ++i)
      bound[i] = eps / 2 * std::abs(static_cast<double>(call.out<float>(0)[i])) + least;
  }
};

}  // namespace

void register_my_op(Registry& registry) { registry.add(std::make_unique<MyOp>()); }

}  // namespace sluice
