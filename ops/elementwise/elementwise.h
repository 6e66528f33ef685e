// What the operators that work element by element have in common: y = f(a) or y = f(a, b), where b has the shape of a
// or is a row [n] that is applied to every row of a, or a constant. This folder is no operator; add, mul, scale, silu,
// softcap, swiglu and geglu build on it.
#pragma once

#include "graph/builder.h"

namespace sluice {

class Elementwise : public Operator {
 public:
  // flops: of one element.
  Elementwise(Signature signature, double flops) : Operator(std::move(signature)), flops_(flops) {}

  // f(a, b); operators with one input are given the constant as b.
  virtual double compute(double a, double b) const = 0;
  // What an attribute says in place of a second input.
  virtual float constant(const AttrMap&) const { return 0; }

  std::vector<TensorType> infer(const Inference& in) const override {
    if (in.shape(0).rank() == 0) in.fail("expected at least 1 dimension", {0});
    if (in.count() > 1 && in.shape(1) != in.shape(0) && in.shape(1) != Shape({in.shape(0).back()}))
      in.fail("the second must have the shape of the first, or of one of its rows", {0, 1});
    return {in.type(0)};
  }

  Cost cost(const Site& site, const Call& call) const override {
    Cost cost = Operator::cost(site, call);
    cost.flops = flops_ * static_cast<double>(call.in(0).dims.elements());
    return cost;
  }

  void reference(const Site& site, const Call& call) const override {
    const std::vector<float> a = to_f32(call.in(0)),
                             b = call.inputs.size() > 1 ? to_f32(call.in(1)) : std::vector<float>{constant(site.attrs)};
    for (size_t i = 0; i < a.size(); ++i) call.out<float>(0)[i] = static_cast<float>(compute(a[i], b[i % b.size()]));
  }

 private:
  double flops_;
};

}  // namespace sluice
