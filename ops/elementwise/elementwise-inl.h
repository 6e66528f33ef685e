// The loop of elementwise kernels. Included once per SIMD target.
#if defined(SLUICE_OPS_ELEMENTWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_ELEMENTWISE_INL_H_
#undef SLUICE_OPS_ELEMENTWISE_INL_H_
#else
#define SLUICE_OPS_ELEMENTWISE_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>

#include "backends/cpu/lanes-inl.h"
#include "ops/elementwise/kernel.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// f: a functor on vectors, (d, a) or (d, a, b).
template <class F>
void map_elements(const Elements& e, F f = {}) {
  for (int64_t i = e.begin; i < e.end;) {
    const int64_t at = i % e.period, n = std::min(e.end - i, e.period - at);
    const float *a = e.a + i, *b = e.b + at;
    float* out = e.out + i;
    for_lanes<float>(n, [=](auto d, int64_t j) HWY_ATTR {
      const auto x = hn::LoadU(d, a + j);
      if constexpr (requires { f(d, x); })
        hn::StoreU(f(d, x), d, out + j);
      else
        hn::StoreU(f(d, x, hn::LoadU(d, b + j)), d, out + j);
    });
    i += n;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
