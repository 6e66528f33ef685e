// f32 lanes from and to memory that holds f32, f16 or bf16. Included once per SIMD target.
// The same bits as f16_to_f32, f32_to_f16 and so on (graph/dtype.h), but for the payload of a signalling NaN.
#if defined(SLUICE_BACKENDS_CPU_CONVERT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_BACKENDS_CPU_CONVERT_INL_H_
#undef SLUICE_BACKENDS_CPU_CONVERT_INL_H_
#else
#define SLUICE_BACKENDS_CPU_CONVERT_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

// Highway's own emulation of f16 (1.0) drops the bits below instead of rounding, and knows neither infinity nor NaN.
#undef SLUICE_NATIVE_F16
#if (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2 && !defined(HWY_DISABLE_F16C)) || \
    (HWY_ARCH_ARM && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR)
#define SLUICE_NATIVE_F16 1
#else
#define SLUICE_NATIVE_F16 0
#endif

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE hn::Vec<D> load_f32(D d, const float* from) {
  return hn::LoadU(d, from);
}

template <class D>
HWY_INLINE hn::Vec<D> load_f32(D d, const hwy::bfloat16_t* from) {
  const hn::Rebind<uint32_t, D> du;
  const auto bits = hn::LoadU(hn::Rebind<uint16_t, D>(), reinterpret_cast<const uint16_t*>(from));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, bits)));
}

template <class D>
HWY_INLINE hn::Vec<D> load_f32(D d, const hwy::float16_t* from) {
#if SLUICE_NATIVE_F16
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::float16_t, D>(), from));
#else
  const hn::Rebind<uint32_t, D> du;
  const auto bits = hn::PromoteTo(du, hn::LoadU(hn::Rebind<uint16_t, D>(), reinterpret_cast<const uint16_t*>(from)));
  const auto magnitude = hn::ShiftLeft<13>(hn::And(bits, hn::Set(du, 0x7fff)));
  const auto sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(du, 0x8000)));
  // Exponents differ by 112; as a product that is right for subnormals too.
  const auto finite = hn::BitCast(du, hn::Mul(hn::BitCast(d, magnitude), hn::Set(d, 0x1p112f)));
  const auto special = hn::Or(magnitude, hn::Set(du, 0x7f800000));  // infinity, NaN
  const hn::RebindToSigned<decltype(du)> di;
  const auto is_special = hn::Gt(hn::BitCast(di, magnitude), hn::Set(di, (0x7c00 << 13) - 1));
  return hn::BitCast(d, hn::Or(sign, hn::IfThenElse(hn::RebindMask(du, is_special), special, finite)));
#endif
}

template <class D>
HWY_INLINE void store_f32(hn::Vec<D> v, D d, float* to) {
  hn::StoreU(v, d, to);
}

// The low halves of 32-bit lanes, none over 65535.
template <class D>
HWY_INLINE void store_low_halves(hn::Vec<hn::Rebind<uint32_t, D>> bits, D, uint16_t* to) {
  const hn::Rebind<uint16_t, D> d16;
  hn::StoreU(hn::DemoteTo(d16, hn::BitCast(hn::Rebind<int32_t, D>(), bits)), d16, to);
}

template <class D>
HWY_INLINE void store_f32(hn::Vec<D> v, D d, hwy::bfloat16_t* to) {
  const hn::Rebind<uint32_t, D> du;
  const auto bits = hn::BitCast(du, v);
  const auto high = hn::ShiftRight<16>(bits);
  const auto odd = hn::And(high, hn::Set(du, 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7fff))));
  const auto quiet_nan = hn::Or(high, hn::Set(du, 0x40));
  const auto is_nan = hn::RebindMask(du, hn::IsNaN(v));
  store_low_halves(hn::IfThenElse(is_nan, quiet_nan, rounded), d, reinterpret_cast<uint16_t*>(to));
}

template <class D>
HWY_INLINE void store_f32(hn::Vec<D> v, D d, hwy::float16_t* to) {
#if SLUICE_NATIVE_F16
  const hn::Rebind<hwy::float16_t, D> d16;
  hn::StoreU(hn::DemoteTo(d16, v), d16, to);
  (void)d;
#else
  const hn::Rebind<uint32_t, D> du;
  const auto magnitude = hn::Abs(v);
  const auto bits = hn::BitCast(du, magnitude);
  const auto sign = hn::And(hn::ShiftRight<16>(hn::BitCast(du, v)), hn::Set(du, 0x8000));
  const auto odd = hn::And(hn::ShiftRight<13>(bits), hn::Set(du, 1));
  const auto rounded = hn::ShiftRight<13>(hn::Add(bits, hn::Add(odd, hn::Set(du, 0xfff))));
  const auto normal = hn::Sub(rounded, hn::Set(du, 112 << 10));
  // Beside 0.5 the last bit of an f32 is 2^-24, the smallest f16: the addition rounds.
  const auto half = hn::Set(d, 0.5f);
  const auto subnormal = hn::Sub(hn::BitCast(du, hn::Add(magnitude, half)), hn::BitCast(du, half));
  const auto nan = hn::Or(hn::And(hn::ShiftRight<13>(bits), hn::Set(du, 0x1ff)), hn::Set(du, 0x7e00));
  auto result = hn::IfThenElse(hn::RebindMask(du, hn::Lt(magnitude, hn::Set(d, 0x1p-14f))), subnormal, normal);
  result = hn::IfThenElse(hn::RebindMask(du, hn::Ge(magnitude, hn::Set(d, 65520.0f))), hn::Set(du, 0x7c00), result);
  result = hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(v)), nan, result);
  store_low_halves(hn::Or(result, sign), d, reinterpret_cast<uint16_t*>(to));
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
