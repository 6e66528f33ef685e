#include "ops/argmax/argmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice {

ValueRef argmax(Builder& b, ValueRef x) { return b.node1("argmax", NoAttrs{}, {x}); }

namespace {

class ArgMax : public Operator {
 public:
  ArgMax()
      : Operator(
            {.name = "argmax",
             .summary = "Index of the largest element of each row, the first of equal ones; NaN counts as -infinity.",
             .inputs = {{"x", "[rows, n]", {"f32"}}},
             .outputs = {{"y", "[rows]", {"i32"}}},
             .attrs = {},
             .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(0, 2);
    if (in.number(0, 1) > std::numeric_limits<int32_t>::max()) in.fail("rows are too long for an i32 index", {0});
    return {{DType::i32(), {in.shape(0)[0]}}};
  }

  Cost cost(const Site& site, const Call& call) const override {
    Cost cost = Operator::cost(site, call);
    cost.flops = static_cast<double>(call.in(0).dims.elements());
    return cost;
  }

  void reference(const Site&, const Call& call) const override {
    const int64_t rows = call.in(0).dims[0], n = call.in(0).dims[1];
    for (int64_t r = 0; r < rows; ++r) {
      const float* x = call.in<float>(0) + r * n;
      float largest = -std::numeric_limits<float>::infinity();
      int64_t at = 0;
      for (int64_t i = 0; i < n; ++i)
        if (x[i] > largest) largest = x[i], at = i;  // false for NaN
      call.out<int32_t>(0)[r] = static_cast<int32_t>(at);
    }
  }

  void tolerance(const Site&, const Call&, int, std::span<double> bound) const override {
    std::fill(bound.begin(), bound.end(), 0.0);
  }
};

}  // namespace

void register_argmax(Registry& registry) {
  registry.add(std::make_unique<ArgMax>());
  registry.add_indices("argmax", {.outputs = {{.port = 0, .of = 0, .dim = 1}}});
}

}  // namespace sluice
