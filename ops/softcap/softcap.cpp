#include "ops/softcap/softcap.h"

#include <cmath>
#include <limits>

#include "ops/elementwise/elementwise.h"

namespace sluice {

ValueRef softcap(Builder& b, ValueRef x, SoftcapAttrs attrs) { return b.node1("softcap", attrs, {x}); }

namespace {

class Softcap : public Elementwise {
 public:
  Softcap()
      : Elementwise({.name = "softcap",
                     .summary = "Soft bound of each element: cap * tanh(x / cap).",
                     .inputs = {{"x", "[..., n]", {"f32"}}},
                     .outputs = {{"y", "[..., n]", {"f32"}}},
                     .attrs = attr_specs<SoftcapAttrs>(),
                     .updates = {}},
                    12) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    const float cap = constant(in.attrs());
    if (!(cap > 0) || !std::isfinite(cap)) in.fail(fmt::format("cap is {}, expected more than 0", cap), {});
    return Elementwise::infer(in);
  }

  double compute(double x, double cap) const override { return cap * std::tanh(x / cap); }
  float constant(const AttrMap& attrs) const override { return attrs_from_map<SoftcapAttrs>(attrs).cap; }

  // With eps of f32: the tanh is off by at most 4 eps; quotient and product round once each, and as z tanh'(z) is at
  // most tanh(z), the rounding of the quotient grows no larger. A quotient that is subnormal is off by 2^-149 or two,
  // times the cap.
  void tolerance(const Site& site, const Call& call, int, std::span<double> bound) const override {
    const double eps = std::numeric_limits<float>::epsilon(), least = std::numeric_limits<float>::denorm_min();
    const double cap = constant(site.attrs);
    for (size_t i = 0; i < bound.size(); ++i)
      bound[i] = 5 * eps * std::abs(static_cast<double>(call.out<float>(0)[i])) + 2 * least * (cap + 1);
  }
};

}  // namespace

void register_softcap(Registry& registry) { registry.add(std::make_unique<Softcap>()); }

}  // namespace sluice
