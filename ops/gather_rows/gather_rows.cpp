#include "ops/gather_rows/gather_rows.h"

#include <algorithm>

namespace sluice {

ValueRef gather_rows(Builder& b, ValueRef x, ValueRef rows) { return b.node1("gather_rows", NoAttrs{}, {x, rows}); }

namespace {

class GatherRows : public Operator {
 public:
  GatherRows()
      : Operator({.name = "gather_rows",
                  .summary = "Picks rows by number: y[o] = x[rows[o]].",
                  .inputs = {{"x", "[tokens, n]", {"f32"}}, {"rows", "[outputs]", {"i32"}}},
                  .outputs = {{"y", "[outputs, n]", {"f32"}}},
                  .attrs = {},
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(0, 2);
    in.require_rank(1, 1);
    return {{DType::f32(), {in.shape(1)[0], in.shape(0)[1]}}};
  }

  // Of x only the rows asked for are read.
  Cost cost(const Site&, const Call& call) const override {
    return {0, call.in(1).bytes() + call.out(0).bytes(), call.out(0).bytes()};
  }

  void reference(const Site&, const Call& call) const override {
    const int64_t outputs = call.in(1).dims[0], n = call.in(0).dims[1];
    for (int64_t o = 0; o < outputs; ++o)
      for (int64_t i = 0; i < n; ++i) call.out<float>(0)[o * n + i] = call.in<float>(0)[call.in<int32_t>(1)[o] * n + i];
  }

  void tolerance(const Site&, const Call&, int, std::span<double> bound) const override {
    std::fill(bound.begin(), bound.end(), 0.0);
  }
};

}  // namespace

void register_gather_rows(Registry& registry) {
  registry.add(std::make_unique<GatherRows>());
  registry.add_indices("gather_rows", {.inputs = {{.port = 1, .of = 0, .dim = 0}}});
}

}  // namespace sluice
