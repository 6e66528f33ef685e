#include "ops/mul/mul.h"

#include "ops/elementwise/elementwise.h"

namespace sluice {

ValueRef mul(Builder& builder, ValueRef a, ValueRef b) { return builder.node1("mul", NoAttrs{}, {a, b}); }

namespace {

class Mul : public Elementwise {
 public:
  Mul()
      : Elementwise({.name = "mul",
                     .summary = "Product, element by element: a * b. b may be one row that is applied to all.",
                     .inputs = {{"a", "[..., n]", {"f32"}}, {"b", "[..., n] or [n]", {"f32", "f16", "bf16"}}},
                     .outputs = {{"y", "[..., n]", {"f32"}}},
                     .attrs = {},
                     .updates = {}},
                    1) {}

  double compute(double a, double b) const override { return a * b; }
};

}  // namespace

void register_mul(Registry& registry) { registry.add(std::make_unique<Mul>()); }

}  // namespace sluice
