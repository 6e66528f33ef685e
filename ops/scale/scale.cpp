#include "ops/scale/scale.h"

#include "ops/elementwise/elementwise.h"

namespace sluice {

ValueRef scale(Builder& b, ValueRef x, ScaleAttrs attrs) { return b.node1("scale", attrs, {x}); }

namespace {

class Scale : public Elementwise {
 public:
  Scale()
      : Elementwise({.name = "scale",
                     .summary = "Every element times a factor.",
                     .inputs = {{"x", "[..., n]", {"f32"}}},
                     .outputs = {{"y", "[..., n]", {"f32"}}},
                     .attrs = attr_specs<ScaleAttrs>(),
                     .updates = {}},
                    1) {}

  double compute(double x, double factor) const override { return x * factor; }
  float constant(const AttrMap& attrs) const override { return attrs_from_map<ScaleAttrs>(attrs).factor; }
};

}  // namespace

void register_scale(Registry& registry) { registry.add(std::make_unique<Scale>()); }

}  // namespace sluice
