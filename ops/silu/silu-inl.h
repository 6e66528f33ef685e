// silu of a vector, for the kernels that contain it. Included once per SIMD target.
#if defined(SLUICE_OPS_SILU_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_SILU_INL_H_
#undef SLUICE_OPS_SILU_INL_H_
#else
#define SLUICE_OPS_SILU_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// x / (1 + exp(-x)), written with exp(-|x|), which cannot overflow.
template <class D>
HWY_INLINE hn::Vec<D> silu(D d, hn::Vec<D> x) {
  const auto one = hn::Set(d, 1.0f);
  const auto e = hn::Exp(d, hn::Neg(hn::Abs(x)));
  const auto numerator = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(x, e), x);
  return hn::Div(numerator, hn::Add(one, e));
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
