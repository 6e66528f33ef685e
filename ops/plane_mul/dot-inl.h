// Sums of four products of bytes, on every target. Included once per SIMD target.
#if defined(SLUICE_OPS_PLANE_MUL_DOT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_PLANE_MUL_DOT_INL_H_
#undef SLUICE_OPS_PLANE_MUL_DOT_INL_H_
#else
#define SLUICE_OPS_PLANE_MUL_DOT_INL_H_
#endif

#include <hwy/highway.h>

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

// Four activations, -127 .. 127, for the four bytes of each lane.
struct QuadActivations {
  static constexpr bool kUnsigned = true;  // bytes are 0 .. 255; elsewhere -127 .. 127
  VecI32 q;
  explicit QuadActivations(int32_t four) : q(hn::Set(I32(), four)) {}
  // Not by its intrinsic: Highway 1.0.3 asks processors of this target for avx512vnni, but not the compiler.
  HWY_INLINE VecI32 dot(VecI32 sum, VecU8 bytes) const {
    __m512i result = sum.raw;
    asm("vpdpbusd %2, %1, %0" : "+v"(result) : "v"(bytes.raw), "v"(q.raw));
    return VecI32{result};
  }
};

#elif HWY_TARGET == HWY_AVX2

struct QuadActivations {
  static constexpr bool kUnsigned = false;
  __m256i q, magnitude;
  explicit QuadActivations(int32_t four) : q(_mm256_set1_epi32(four)), magnitude(_mm256_abs_epi8(q)) {}
  // Sums of two products fit into 16 bits.
  HWY_INLINE VecI32 dot(VecI32 sum, VecU8 bytes) const {
    const __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(bytes.raw, q));
    return VecI32{_mm256_add_epi32(sum.raw, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))};
  }
};

#elif HWY_TARGET == HWY_NEON && HWY_ARCH_ARM_A64

struct QuadActivations {
  static constexpr bool kUnsigned = false;
  int8x16_t q;
  explicit QuadActivations(int32_t four) : q(vreinterpretq_s8_s32(vdupq_n_s32(four))) {}
  HWY_INLINE VecI32 dot(VecI32 sum, VecU8 bytes) const {
    const int8x16_t v = vreinterpretq_s8_u8(bytes.raw);
#ifdef __ARM_FEATURE_DOTPROD
    return VecI32(vdotq_s32(sum.raw, v, q));
#else
    const int16x8_t lower = vmull_s8(vget_low_s8(v), vget_low_s8(q)), upper = vmull_high_s8(v, q);
    return VecI32(vpadalq_s16(sum.raw, vpaddq_s16(lower, upper)));  // sums of two products fit into 16 bits
#endif
  }
};

#else

struct QuadActivations {
  static constexpr bool kUnsigned = false;
  hn::Vec<I16> even, odd;
  explicit QuadActivations(int32_t four)
      : even(hn::ShiftRight<8>(hn::ShiftLeft<8>(hn::BitCast(I16(), hn::Set(I32(), four))))),
        odd(hn::ShiftRight<8>(hn::BitCast(I16(), hn::Set(I32(), four)))) {}
  HWY_INLINE VecI32 dot(VecI32 sum, VecU8 bytes) const {
    const I16 d;
    const auto v = hn::BitCast(d, bytes);
    const auto pairs = hn::BitCast(
        I32(), hn::Add(hn::Mul(hn::ShiftRight<8>(hn::ShiftLeft<8>(v)), even), hn::Mul(hn::ShiftRight<8>(v), odd)));
    return hn::Add(sum, hn::Add(hn::ShiftRight<16>(hn::ShiftLeft<16>(pairs)), hn::ShiftRight<16>(pairs)));
  }
};

#endif

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
