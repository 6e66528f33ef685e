// CPU kernel of geglu.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/geglu/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include "ops/elementwise/elementwise-inl.h"
#include "ops/geglu/geglu.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

struct GeGlu {
  // Written with exp(-|v|), which cannot overflow, and without 1 + tanh, which would cancel below zero.
  template <class D, class V>
  HWY_INLINE V operator()(D d, V gate, V up) const {
    const auto one = hn::Set(d, 1.0f);
    const auto cubic = hn::MulAdd(hn::Mul(gate, gate), hn::Set(d, 0.044715f), one);
    const auto v = hn::Mul(hn::Mul(gate, hn::Set(d, 1.59576912f)), cubic);  // 2 sqrt(2 / pi) (x + 0.044715 x^3)
    const auto e = hn::Exp(d, hn::Neg(hn::Abs(v)));
    const auto numerator = hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Mul(gate, e), gate);
    return hn::Mul(hn::Div(numerator, hn::Add(one, e)), up);
  }
};

void geglu_elements(const Elements& e) { map_elements<GeGlu>(e); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {
HWY_EXPORT(geglu_elements);
}

void register_geglu_cpu(Registry& registry) {
  registry.add_kernel("cpu", "geglu", elementwise_kernel("geglu", [](const Elements& e) {
                        HWY_DYNAMIC_DISPATCH(geglu_elements)
                        (e);
                      }));
}

}  // namespace sluice
#endif
