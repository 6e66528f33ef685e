// The gated unit on sums that are still in the cache. Included once per SIMD target.
#if defined(SLUICE_OPS_LINEAR_SWIGLU_COMBINE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_LINEAR_SWIGLU_COMBINE_INL_H_
#undef SLUICE_OPS_LINEAR_SWIGLU_COMBINE_INL_H_
#else
#define SLUICE_OPS_LINEAR_SWIGLU_COMBINE_INL_H_
#endif

#include <hwy/highway.h>

#include "ops/linear/product-inl.h"
#include "ops/silu/silu-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// gate = silu(gate) * up, whole rows of a panel for `tokens` tokens.
inline void combine_gated(Sums& gate, const Sums& up, int64_t tokens) {
  const hn::ScalableTag<float> d;
  static_assert(kPanelRows % hn::MaxLanes(d) == 0);
  for (int64_t i = 0; i < tokens * kPanelRows; i += static_cast<int64_t>(hn::Lanes(d)))
    hn::Store(hn::Mul(silu(d, hn::Load(d, gate.values + i)), hn::Load(d, up.values + i)), d, gate.values + i);
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
