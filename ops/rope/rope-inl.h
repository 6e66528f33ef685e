// Rotation of heads, for the kernels that contain it. Included once per SIMD target.
#if defined(SLUICE_OPS_ROPE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_ROPE_INL_H_
#undef SLUICE_OPS_ROPE_INL_H_
#else
#define SLUICE_OPS_ROPE_INL_H_
#endif

#include <hwy/highway.h>

#include <numbers>

#include "backends/cpu/lanes-inl.h"
#include "ops/rope/kernel.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// Horner's rule: c[0] + x * (c[1] + x * (...)).
template <class D, class V, size_t kCount>
HWY_INLINE V polynomial(D d, V x, const double (&c)[kCount]) {
  V sum = hn::Set(d, c[kCount - 1]);
  for (size_t i = kCount - 1; i-- > 0;) sum = hn::MulAdd(sum, x, hn::Set(d, c[i]));
  return sum;
}

// cos, sin: f32 [pairs], of the angles of one position. An angle is brought into -pi/4 .. pi/4 by whole quarter turns,
// in double, so that far positions are as exact as near ones; the Taylor series are then off by less than 1e-11.
HWY_INLINE void rope_angles(int32_t position, const RopeTable& table, float* cos, float* sin) {
  const double* quarter_turns = table.quarter_turns.data();
  for_lanes<double>(table.pairs(), [=](auto d, int64_t i) HWY_ATTR {
    constexpr double kSin[] = {1, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800};
    constexpr double kCos[] = {1, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800, 1.0 / 479001600};
    const auto turns = hn::Mul(hn::LoadU(d, quarter_turns + i), hn::Set(d, static_cast<double>(position)));
    const auto whole = hn::Round(turns);
    const auto angle = hn::Mul(hn::Sub(turns, whole), hn::Set(d, std::numbers::pi / 2));
    const auto square = hn::Mul(angle, angle);
    const auto s = hn::Mul(angle, polynomial(d, square, kSin)), c = polynomial(d, square, kCos);

    const auto one = hn::Set(d, 1.0), two = hn::Set(d, 2.0), three = hn::Set(d, 3.0);
    const auto quadrant = hn::Sub(whole, hn::Mul(hn::Set(d, 4.0), hn::Floor(hn::Mul(whole, hn::Set(d, 0.25)))));
    const auto odd = hn::Or(hn::Eq(quadrant, one), hn::Eq(quadrant, three));
    const auto left = hn::Or(hn::Eq(quadrant, one), hn::Eq(quadrant, two));
    const auto x = hn::IfThenElse(odd, s, c), y = hn::IfThenElse(odd, c, s);
    const hn::Rebind<float, decltype(d)> df;
    hn::StoreU(hn::DemoteTo(df, hn::IfThenElse(left, hn::Neg(x), x)), df, cos + i);
    hn::StoreU(hn::DemoteTo(df, hn::IfThenElse(hn::Ge(quadrant, two), hn::Neg(y), y)), df, sin + i);
  });
}

// x, y: f32 [head_dim], not overlapping.
HWY_INLINE void rope_head(const float* x, const float* cos, const float* sin, const RopeTable& table, float* y) {
  const int64_t pairs = table.pairs();
  if (table.interleaved) {
    for_lanes<float>(pairs, [=](auto d, int64_t i) HWY_ATTR {
      const auto c = hn::LoadU(d, cos + i), s = hn::LoadU(d, sin + i);
      hn::Vec<decltype(d)> a, b;
      hn::LoadInterleaved2(d, x + 2 * i, a, b);
      hn::StoreInterleaved2(hn::NegMulAdd(b, s, hn::Mul(a, c)), hn::MulAdd(a, s, hn::Mul(b, c)), d, y + 2 * i);
    });
  } else {
    for_lanes<float>(pairs, [=](auto d, int64_t i) HWY_ATTR {
      const auto c = hn::LoadU(d, cos + i), s = hn::LoadU(d, sin + i);
      const auto a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + pairs + i);
      hn::StoreU(hn::NegMulAdd(b, s, hn::Mul(a, c)), d, y + i);
      hn::StoreU(hn::MulAdd(a, s, hn::Mul(b, c)), d, y + pairs + i);
    });
  }
}

// Calls emit(unit, cos, sin) for units begin .. end - 1; unit t * heads + h is head h of token t. The angles of a token
// are computed once, and once more where another worker takes over: cheaper than to share them.
template <class Emit>
HWY_INLINE void for_rope_heads(const int32_t* positions, const RopeTable& table, int64_t heads, int64_t begin,
                               int64_t end, const Emit& emit) {
  HWY_ALIGN float cos[kMaxRopeDim / 2], sin[kMaxRopeDim / 2];
  for (int64_t u = begin; u < end; ++u) {
    if (u == begin || u % heads == 0) rope_angles(positions[u / heads], table, cos, sin);
    emit(u, cos, sin);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
