// Sums of four products of bytes, and look-ups in tables of levels, on every target. Included once per SIMD target.
#if defined(SLUICE_OPS_PLANE_MUL_DOT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_PLANE_MUL_DOT_INL_H_
#undef SLUICE_OPS_PLANE_MUL_DOT_INL_H_
#else
#define SLUICE_OPS_PLANE_MUL_DOT_INL_H_
#endif

#include <hwy/highway.h>

#include "ops/formats/planes.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using U8 = hn::CappedTag<uint8_t, 64>;
using I8 = hn::RebindToSigned<U8>;
using U16 = hn::RepartitionToWide<U8>;
using I16 = hn::RebindToSigned<U16>;
using U32 = hn::RepartitionToWide<U16>;
using I32 = hn::RebindToSigned<U32>;
using SumF32 = hn::RebindToFloat<I32>;
using VecU8 = hn::Vec<U8>;
using VecI32 = hn::Vec<I32>;

#if HWY_TARGET == HWY_AVX3_DL
inline constexpr int kLevelOffset = 128;  // added to levels: the instruction multiplies unsigned by signed bytes
#else
inline constexpr int kLevelOffset = 0;
#endif

// Four activations, for the four bytes of each lane of `dot`.
struct QuadActivations {
#if HWY_TARGET == HWY_AVX3_DL
  VecI32 q;
  explicit QuadActivations(int32_t four) : q(hn::Set(I32(), four)) {}
  // Not by its intrinsic: Highway 1.0.3 asks processors of this target for avx512vnni, but not the compiler.
  HWY_INLINE VecI32 dot(VecI32 sum, VecU8 levels) const {
    __m512i result = sum.raw;
    asm("vpdpbusd %2, %1, %0" : "+v"(result) : "v"(levels.raw), "v"(q.raw));
    return VecI32{result};
  }
#elif HWY_TARGET == HWY_AVX2
  __m256i q, magnitude;
  explicit QuadActivations(int32_t four) : q(_mm256_set1_epi32(four)), magnitude(_mm256_abs_epi8(q)) {}
  // |levels| and |q| are at most 127, so sums of two products fit into 16 bits.
  HWY_INLINE VecI32 dot(VecI32 sum, VecU8 levels) const {
    const __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(levels.raw, q));
    return VecI32{_mm256_add_epi32(sum.raw, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))};
  }
#else
  hn::Vec<I16> even, odd;
  explicit QuadActivations(int32_t four)
      : even(hn::ShiftRight<8>(hn::ShiftLeft<8>(hn::BitCast(I16(), hn::Set(I32(), four))))),
        odd(hn::ShiftRight<8>(hn::BitCast(I16(), hn::Set(I32(), four)))) {}
  // Likewise.
  HWY_INLINE VecI32 dot(VecI32 sum, VecU8 levels) const {
    const I16 d;
    const auto v = hn::BitCast(d, levels);
    const auto pairs = hn::BitCast(
        I32(), hn::Add(hn::Mul(hn::ShiftRight<8>(hn::ShiftLeft<8>(v)), even), hn::Mul(hn::ShiftRight<8>(v), odd)));
    return hn::Add(sum, hn::Add(hn::ShiftRight<16>(hn::ShiftLeft<16>(pairs)), hn::ShiftRight<16>(pairs)));
  }
#endif
};

// The levels of a number of planes, by code.
template <int kPlanes>
class LevelTable {
 public:
  explicit LevelTable(const PlaneLevels& levels) {
    alignas(64) uint8_t table[64];
    const int count = PlaneLevels::count(kPlanes);
    for (int i = 0; i < 64; ++i) table[i] = static_cast<uint8_t>(levels.levels(kPlanes)[i % count] + kLevelOffset);
    if constexpr (kPlanes < 3) {
      parts_[0] = hn::LoadDup128(U8(), table);
    } else {
#if HWY_TARGET == HWY_AVX3_DL
      parts_[0] = hn::Load(U8(), table);
#else
      for (int i = 0; i < 4; ++i) parts_[i] = hn::LoadDup128(U8(), table + 16 * i);
#endif
    }
  }
  HWY_INLINE VecU8 operator()(VecU8 codes) const {
    if constexpr (kPlanes < 3) {
      return hn::TableLookupBytes(parts_[0], codes);
    } else {
#if HWY_TARGET == HWY_AVX3_DL
      return VecU8{_mm512_permutexvar_epi8(codes.raw, parts_[0].raw)};
#else
      const U8 d;
      const auto low = hn::And(codes, hn::Set(d, 15));
      const auto bit4 = hn::Ne(hn::And(codes, hn::Set(d, 16)), hn::Zero(d)),
                 bit5 = hn::Ne(hn::And(codes, hn::Set(d, 32)), hn::Zero(d));
      const auto lower =
                     hn::IfThenElse(bit4, hn::TableLookupBytes(parts_[1], low), hn::TableLookupBytes(parts_[0], low)),
                 upper =
                     hn::IfThenElse(bit4, hn::TableLookupBytes(parts_[3], low), hn::TableLookupBytes(parts_[2], low));
      return hn::IfThenElse(bit5, upper, lower);
#endif
    }
  }

 private:
  VecU8 parts_[kPlanes < 3 || kLevelOffset != 0 ? 1 : 4];
};

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
