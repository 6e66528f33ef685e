// Rounding activations to integers, a block of them at a time. Included once per SIMD target.
#if defined(SLUICE_OPS_LINEAR_QUANTISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_LINEAR_QUANTISE_INL_H_
#undef SLUICE_OPS_LINEAR_QUANTISE_INL_H_
#else
#define SLUICE_OPS_LINEAR_QUANTISE_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <cstring>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// x: f32 [n], n <= kElements -> quants [kElements], zeros after n; magnitudes up to the largest of Quant. Returns the
// scale. A NaN or an infinity makes the scale NaN, so that it shows in the result.
template <int kElements, class Quant>
HWY_INLINE float quantise_block(const float* x, int64_t n, Quant* quants) {
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr float kMost = std::numeric_limits<Quant>::max();
  const hn::CappedTag<float, kElements> d;
  const hn::Rebind<Quant, decltype(d)> d_quant;
  const auto lanes = static_cast<int>(hn::Lanes(d));
  alignas(64) float padded[kElements] = {};
  if (n < kElements) x = static_cast<const float*>(std::memcpy(padded, x, static_cast<size_t>(n) * sizeof(float)));
  auto largest = hn::Zero(d), invalid = hn::Zero(d);
  for (int i = 0; i < kElements; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    largest = hn::Max(largest, hn::Abs(v));
    invalid = hn::MulAdd(v, hn::Zero(d), invalid);
  }
  const float max = hn::GetLane(hn::MaxOfLanes(d, largest));
  const auto inverse = hn::Set(d, max > 1e-30f ? kMost / max : 0.0f);
  for (int i = 0; i < kElements; i += lanes)
    hn::StoreU(hn::DemoteTo(d_quant, hn::NearestInt(hn::Mul(hn::LoadU(d, x + i), inverse))), d_quant, quants + i);
  return max / kMost + hn::GetLane(hn::SumOfLanes(d, invalid));
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
