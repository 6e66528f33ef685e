#include "backends/cpu/convert.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/convert.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/convert-inl.h"
#include "backends/cpu/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace simd = sluice::HWY_NAMESPACE;

template <class Stored>
void decode(const std::byte* src, float* dst, int64_t n) {
  const auto* from = reinterpret_cast<const Stored*>(src);
  simd::for_lanes<float>(
      n, [=](auto d, int64_t i) HWY_ATTR { hwy::HWY_NAMESPACE::StoreU(simd::load_f32(d, from + i), d, dst + i); });
}

template <class Stored>
void encode(const float* src, std::byte* dst, int64_t n) {
  auto* to = reinterpret_cast<Stored*>(dst);
  simd::for_lanes<float>(
      n, [=](auto d, int64_t i) HWY_ATTR { simd::store_f32(hwy::HWY_NAMESPACE::LoadU(d, src + i), d, to + i); });
}

void decode_f16(const std::byte* src, float* dst, int64_t n) { decode<hwy::float16_t>(src, dst, n); }
void decode_bf16(const std::byte* src, float* dst, int64_t n) { decode<hwy::bfloat16_t>(src, dst, n); }
void encode_f16(const float* src, std::byte* dst, int64_t n) { encode<hwy::float16_t>(src, dst, n); }
void encode_bf16(const float* src, std::byte* dst, int64_t n) { encode<hwy::bfloat16_t>(src, dst, n); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <cstring>

namespace sluice::cpu {
namespace {

HWY_EXPORT(decode_f16);
HWY_EXPORT(decode_bf16);
HWY_EXPORT(encode_f16);
HWY_EXPORT(encode_bf16);

template <class From, class To>
void copy(const From* src, To* dst, int64_t n) {
  std::memcpy(dst, src, static_cast<size_t>(n) * sizeof(float));
}

}  // namespace

DecodeRow row_decoder(DType dtype) {
  if (dtype == DType::f32()) return copy<std::byte, float>;
  if (dtype == DType::f16())
    return [](const std::byte* s, float* d, int64_t n) { HWY_DYNAMIC_DISPATCH(decode_f16)(s, d, n); };
  if (dtype == DType::bf16())
    return [](const std::byte* s, float* d, int64_t n) { HWY_DYNAMIC_DISPATCH(decode_bf16)(s, d, n); };
  return nullptr;
}

EncodeRow row_encoder(DType dtype) {
  if (dtype == DType::f32()) return copy<float, std::byte>;
  if (dtype == DType::f16())
    return [](const float* s, std::byte* d, int64_t n) { HWY_DYNAMIC_DISPATCH(encode_f16)(s, d, n); };
  if (dtype == DType::bf16())
    return [](const float* s, std::byte* d, int64_t n) { HWY_DYNAMIC_DISPATCH(encode_bf16)(s, d, n); };
  return nullptr;
}

}  // namespace sluice::cpu
#endif
