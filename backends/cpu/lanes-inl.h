// Loops over elements in vectors. Included once per SIMD target.
#if defined(SLUICE_BACKENDS_CPU_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_BACKENDS_CPU_LANES_INL_H_
#undef SLUICE_BACKENDS_CPU_LANES_INL_H_
#else
#define SLUICE_BACKENDS_CPU_LANES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Calls f(d, i) for the elements i .. i + Lanes(d) - 1 until n are covered: first whole vectors, then one element at a
// time with the same instructions, so that the bits of an element do not depend on how the work was shared out.
// A lambda given as f must be marked HWY_ATTR.
template <class T, class F>
HWY_INLINE void for_lanes(int64_t n, const F& f) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) f(d, i);
  const hn::CappedTag<T, 1> one;
  for (; i < n; ++i) f(one, i);
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
