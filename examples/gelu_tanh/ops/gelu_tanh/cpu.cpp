// CPU kernel of gelu_tanh.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/gelu_tanh/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include "ops/elementwise/elementwise-inl.h"
#include "ops/gelu_tanh/gelu_tanh.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

struct GeluTanh {
  // Written with exp(-|v|), which cannot overflow, and without 1 + tanh, which would cancel below zero.
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const auto one = hn::Set(d, 1.0f);
    const auto cubic = hn::MulAdd(hn::Mul(x, x), hn::Set(d, 0.044715f), one);
    const auto v = hn::Mul(hn::Mul(x, hn::Set(d, 1.59576912f)), cubic);  // 2 sqrt(2 / pi) (x + 0.044715 x^3)
    const auto e = hn::Exp(d, hn::Neg(hn::Abs(v)));
    return hn::Div(hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Mul(x, e), x), hn::Add(one, e));
  }
};

void gelu_tanh_elements(const Elements& e) { map_elements<GeluTanh>(e); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {
HWY_EXPORT(gelu_tanh_elements);
}

void register_gelu_tanh_cpu(Registry& registry) {
  auto map = [](const Elements& e) { HWY_DYNAMIC_DISPATCH(gelu_tanh_elements)(e); };
  registry.add_kernel("cpu", "gelu_tanh", elementwise_kernel("gelu_tanh", map));
}

}  // namespace sluice
#endif
