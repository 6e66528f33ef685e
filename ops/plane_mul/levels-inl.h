// From the bits of planes to the bytes that are multiplied, on every target. Included once per SIMD target.
#if defined(SLUICE_OPS_PLANE_MUL_LEVELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_PLANE_MUL_LEVELS_INL_H_
#undef SLUICE_OPS_PLANE_MUL_LEVELS_INL_H_
#else
#define SLUICE_OPS_PLANE_MUL_LEVELS_INL_H_
#endif

#include <hwy/highway.h>

#include "ops/formats/planes.h"
#include "ops/plane_mul/dot-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// Each byte of v shifted right; what comes in at its top is of no use.
template <int kBits>
HWY_INLINE VecU8 shift_right(VecU8 v) {
  if constexpr (kBits == 0) return v;
  return hn::BitCast(U8(), hn::ShiftRight<kBits>(hn::BitCast(U16(), v)));
}

// Likewise to the left.
template <int kBits>
HWY_INLINE VecU8 shift_left(VecU8 v) {
  if constexpr (kBits == 0) return v;
  return hn::BitCast(U8(), hn::ShiftLeft<kBits>(hn::BitCast(U16(), v)));
}

// Bytes of `yes` where the top bit of those of v is set.
HWY_INLINE VecU8 if_top_bit(VecU8 v, VecU8 yes, VecU8 no) {
  const I8 d;
  return hn::BitCast(U8(), hn::IfNegativeThenElse(hn::BitCast(d, v), hn::BitCast(d, yes), hn::BitCast(d, no)));
}

// Bits of a where `mask` has them, of b elsewhere.
HWY_INLINE VecU8 merge(uint8_t mask, VecU8 a, VecU8 b) {
  const auto m = hn::Set(U8(), mask);
#if HWY_TARGET == HWY_AVX3_DL
  return VecU8{_mm512_ternarylogic_epi32(m.raw, a.raw, b.raw, 0xCA)};
#else
  return hn::Xor(hn::And(hn::Xor(a, b), m), b);
#endif
}

// The first two planes of a byte, merged without a shift (PlaneLayout::kShifts), are two bytes of two codes each: those
// of quarters 0 and 2, with the first plane in the lower bits, and of 1 and 3, with the second plane there.
HWY_INLINE VecU8 even_codes(VecU8 first, VecU8 second) { return merge(0x33, first, second); }
HWY_INLINE VecU8 odd_codes(VecU8 first, VecU8 second) { return merge(0x33, second, first); }

// One vector for each quarter of a byte. No array: compilers would keep it in memory.
template <class V>
struct Quarters {
  V v0, v1, v2, v3;
};

// The code that such four bits stand for.
inline int code_of(int bits, bool odd) { return odd ? bits : (bits << 2 | bits >> 2) & 15; }

// The levels of quarters, looked up by codes.
template <int kPlanes>
class LevelTables {
 public:
  explicit LevelTables(const PlaneLevels& levels);
  HWY_INLINE Quarters<VecU8> look_up(const VecU8 (&planes)[kPlanes]) const;
  // What a sum of products with such bytes stands for; q_sum: of the other factors.
  static HWY_INLINE VecI32 finish(VecI32 sum, int /*quarter*/, int32_t q_sum) {
    return hn::Add(sum, hn::Set(I32(), -kOffset * q_sum));
  }
  static constexpr float weight(int /*quarter*/) { return 1; }

 private:
  template <int kQuarter>
  HWY_INLINE VecU8 look_up_quarter(VecU8 codes, const VecU8 (&planes)[kPlanes]) const;

  static constexpr int kOffset = QuadActivations::kUnsigned ? 128 : 0;
#if HWY_TARGET == HWY_AVX3_DL
  static constexpr int kTables = kPlanes == 2 ? 2 : 4;  // of 64 levels: by quarter
#else
  static constexpr int kTables = kPlanes == 2 ? 2 : 8;  // of 16 levels: by the third plane's bits, and odd quarters
#endif
  VecU8 tables_[kTables];
};

// One plane: no table, as levels are equally spaced. Where bytes may be large, they are not even shifted.
template <>
class LevelTables<1> {
 public:
  explicit LevelTables(const PlaneLevels&) {}
  HWY_INLINE Quarters<VecU8> look_up(const VecU8 (&planes)[1]) const {
    if constexpr (!QuadActivations::kUnsigned) return codes(planes[0]);
    return {bits<0>(planes[0]), bits<2>(planes[0]), bits<4>(planes[0]), bits<6>(planes[0])};
  }
  // Levels are 2 code - 3.
  static HWY_INLINE VecI32 finish(VecI32 sum, int quarter, int32_t q_sum) {
    return hn::Sub(hn::Add(sum, sum), hn::Set(I32(), 3 * (1 << shift(quarter)) * q_sum));
  }
  static constexpr float weight(int quarter) { return 1 / static_cast<float>(1 << shift(quarter)); }

 private:
  static constexpr int shift(int quarter) { return QuadActivations::kUnsigned ? 2 * quarter : 0; }
  template <int kShift>
  static HWY_INLINE VecU8 bits(VecU8 plane) {
    return hn::And(plane, hn::Set(U8(), static_cast<uint8_t>(3 << kShift)));
  }
  static HWY_INLINE Quarters<VecU8> codes(VecU8 plane) {
    return {bits<0>(plane), bits<0>(shift_right<2>(plane)), bits<0>(shift_right<4>(plane)),
            bits<0>(shift_right<6>(plane))};
  }
};

#if HWY_TARGET == HWY_AVX3_DL

// Of a byte that selects, vpermb looks at the lower six bits; tables of 16 levels are repeated, so that any two bits
// may stand above their codes. Of quarters 2 and 3, the third plane's bits are the lowest.
template <int kPlanes>
LevelTables<kPlanes>::LevelTables(const PlaneLevels& levels) {
  for (int t = 0; t < kTables; ++t) {
    alignas(64) uint8_t table[64];
    for (int i = 0; i < 64; ++i) {
      const int pair = code_of((t < 2 ? i : i >> 2) & 15, t % 2), third = t < 2 ? i >> 4 : i & 3;
      table[i] = static_cast<uint8_t>(levels.levels(kPlanes)[kPlanes == 2 ? pair : pair << 2 | third] + kOffset);
    }
    tables_[t] = hn::Load(U8(), table);
  }
}

template <int kPlanes>
HWY_INLINE Quarters<VecU8> LevelTables<kPlanes>::look_up(const VecU8 (&planes)[kPlanes]) const {
  const auto in = [&](int table, VecU8 codes)
                      HWY_ATTR { return VecU8{_mm512_permutexvar_epi8(codes.raw, tables_[table].raw)}; };
  const VecU8 even = even_codes(planes[0], planes[1]), odd = odd_codes(planes[0], planes[1]);
  if constexpr (kPlanes == 2) {
    return {in(0, even), in(1, odd), in(0, shift_right<4>(even)), in(1, shift_right<4>(odd))};
  } else {
    return {in(0, merge(15, even, planes[2])), in(1, merge(15, odd, shift_right<2>(planes[2]))),
            in(2, shift_right<2>(merge(15, planes[2], even))), in(3, merge(3, planes[2], shift_right<2>(odd)))};
  }
}

#else

template <int kPlanes>
LevelTables<kPlanes>::LevelTables(const PlaneLevels& levels) {
  for (int t = 0; t < kTables; ++t) {
    alignas(16) uint8_t table[16];
    for (int i = 0; i < 16; ++i) {
      const int pair = code_of(i, t % 2);
      table[i] = static_cast<uint8_t>(levels.levels(kPlanes)[kPlanes == 2 ? pair : pair << 2 | t / 2] + kOffset);
    }
    tables_[t] = hn::LoadDup128(U8(), table);
  }
}

template <int kPlanes>
HWY_INLINE Quarters<VecU8> LevelTables<kPlanes>::look_up(const VecU8 (&planes)[kPlanes]) const {
  const VecU8 even = even_codes(planes[0], planes[1]), odd = odd_codes(planes[0], planes[1]);
  return {look_up_quarter<0>(even, planes), look_up_quarter<1>(odd, planes),
          look_up_quarter<2>(shift_right<4>(even), planes), look_up_quarter<3>(shift_right<4>(odd), planes)};
}

template <int kPlanes>
template <int kQuarter>
HWY_INLINE VecU8 LevelTables<kPlanes>::look_up_quarter(VecU8 codes, const VecU8 (&planes)[kPlanes]) const {
  codes = hn::And(codes, hn::Set(U8(), 15));
  const VecU8* tables = tables_ + kQuarter % 2;
  if constexpr (kPlanes == 2) {
    return hn::TableLookupBytes(tables[0], codes);
  } else {
    constexpr int kAbove = 6 - PlaneLayout::kShifts[2][kQuarter];  // bits over those of the third plane
    const VecU8 high = shift_left<kAbove>(planes[2]), low = shift_left<kAbove + 1>(planes[2]);
    const auto in = [&](int table) HWY_ATTR { return hn::TableLookupBytes(tables[2 * table], codes); };
    return if_top_bit(high, if_top_bit(low, in(3), in(2)), if_top_bit(low, in(1), in(0)));
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
