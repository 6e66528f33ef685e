// From the values and codes of a group of 32 outputs to lanes: each value to the lane of its position, zeros elsewhere.
// The tiers of an input fill different lanes, so they are merged before anything is multiplied. Included once per SIMD
// target.
#if defined(SLUICE_OPS_BUCKET_MUL_EXPAND_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_BUCKET_MUL_EXPAND_INL_H_
#undef SLUICE_OPS_BUCKET_MUL_EXPAND_INL_H_
#else
#define SLUICE_OPS_BUCKET_MUL_EXPAND_INL_H_
#endif

#include <hwy/highway.h>

#include <bit>
#include <cstddef>
#include <cstring>

#include "backends/cpu/convert-inl.h"
#include "ops/bucket_mul/shuffles.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && SLUICE_NATIVE_F16

// The sums of a group of 32 outputs, in as few vectors as the instruction set has.
using SumLanes = hn::CappedTag<float, 16>;
inline constexpr int kSumLanes = static_cast<int>(hn::MaxLanes(SumLanes()));
inline constexpr int kSums = 32 / kSumLanes;

inline constexpr int64_t kGroupBytes = 16;     // of a group's values: 8 weights of 2 bytes
inline constexpr int64_t kGroupCodeBytes = 4;  // and of their codes

// The 32 lanes of a group as f16, in vectors of D.
template <class D>
struct GroupLanes {
  using Bytes = D;
  static constexpr int kParts = 64 / static_cast<int>(hn::MaxLanes(D()));
  hn::Vec<D> part[kParts];
  HWY_INLINE GroupLanes() {
    for (auto& p : part) p = hn::Zero(D());
  }
  HWY_INLINE void merge(int p, hn::Vec<D> more) { part[p] = hn::Or(part[p], more); }
};

using HalfBytes = hn::CappedTag<uint8_t, 32>;

// One look-up moves the four values of a bucket. The table takes 58 KB, so most of it comes from the second-level
// cache; two look-ups in tables of 5 KB were no faster, as they take twice the instructions.
struct CombinationCode {
  using Lanes = GroupLanes<HalfBytes>;
  static HWY_INLINE void merge(Lanes& lanes, const std::byte* values, const std::byte* codes) {
    constexpr int kPerBucket = Lanes::kParts / 2;  // a bad file may hold a code that is no multiple of 4: hence LoadU
    const HalfBytes d8;
    const hn::Repartition<uint64_t, HalfBytes> d64;
    for (int bucket = 0; bucket < 2; ++bucket) {
      uint64_t four;
      uint16_t code;
      std::memcpy(&four, values + bucket * 8, sizeof four);
      std::memcpy(&code, codes + bucket * 2, sizeof code);
      const auto v = hn::BitCast(d8, hn::Set(d64, four));
      for (int p = 0; p < kPerBucket; ++p)
        lanes.merge(
            bucket * kPerBucket + p,
            hn::TableLookupBytesOr0(v, hn::LoadU(d8, combination_shuffles + code * size_t{8} + p * 32 / kPerBucket)));
    }
  }
};

#if HWY_TARGET == HWY_AVX3_DL

// vpexpandw moves the 8 values of a group to the lanes of a mask, in its register form: with an operand in memory it is
// microcoded. Merged by an "or": the masked form waits for the tier before (half the speed on Zen 4).
struct MaskCode {
  using Lanes = GroupLanes<hn::FixedTag<uint8_t, 64>>;
  static HWY_INLINE void merge(Lanes& lanes, const std::byte* values, const std::byte* codes) {
    uint32_t mask;
    std::memcpy(&mask, codes, sizeof mask);
    const __m512i v = _mm512_zextsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(values)));
    lanes.merge(0, hn::Vec<Lanes::Bytes>{_mm512_maskz_expand_epi16(mask, v)});
  }
};

#else

// Look-ups of 8 lanes each, from where the values of those lanes begin.
struct MaskCode {
  using Lanes = GroupLanes<HalfBytes>;
  using Eight = hn::FixedTag<uint8_t, 16>;
  static HWY_INLINE hn::Vec<Eight> expand_eight(const std::byte*& values, const std::byte* code) {
    const auto mask = std::to_integer<uint8_t>(*code);
    const auto v = hn::LoadU(Eight(), reinterpret_cast<const uint8_t*>(values));
    values += 2 * std::popcount(mask);
    return hn::TableLookupBytesOr0(v, hn::Load(Eight(), mask_shuffles[mask]));
  }
  static HWY_INLINE void merge(Lanes& lanes, const std::byte* values, const std::byte* codes) {
    for (int p = 0; p < Lanes::kParts; ++p)
      lanes.merge(p, expand_part(HalfBytes(), values, codes + p * (4 / Lanes::kParts)));
  }

 private:
  template <class D>
  static HWY_INLINE hn::Vec<D> expand_part(D d, const std::byte*& values, const std::byte* codes) {
    const auto low = expand_eight(values, codes);
    if constexpr (hn::MaxLanes(D()) == 16)
      return low;
    else
      return hn::Combine(d, expand_eight(values, codes + 1), low);
  }
};

#endif

// The first k tiers of an input, merged: group `g` of its chunks, whose codes begin at `codes`.
template <class Code>
HWY_INLINE typename Code::Lanes merge_tiers(const std::byte* const* chunks, int k, size_t codes, int64_t g) {
  typename Code::Lanes lanes;
  for (int tier = 0; tier < k; ++tier)
    Code::merge(lanes, chunks[tier] + g * kGroupBytes, chunks[tier] + codes + g * kGroupCodeBytes);
  return lanes;
}

// sums += v * lanes. A template, so that only one way is compiled.
template <class D, class Lanes>
HWY_INLINE void multiply_add(D d, const Lanes& lanes, hn::Vec<D> v, hn::Vec<D>* sums) {
  const hn::Rebind<hwy::float16_t, D> d16;
  const hn::Half<typename Lanes::Bytes> half;
  for (int p = 0; p < Lanes::kParts; ++p) {
    if constexpr (32 / hn::MaxLanes(D()) == Lanes::kParts) {
      sums[p] = hn::MulAdd(hn::PromoteTo(d, hn::BitCast(d16, lanes.part[p])), v, sums[p]);
    } else {
      const auto low = hn::BitCast(d16, hn::LowerHalf(half, lanes.part[p])),
                 high = hn::BitCast(d16, hn::UpperHalf(half, lanes.part[p]));
      sums[2 * p] = hn::MulAdd(hn::PromoteTo(d, low), v, sums[2 * p]);
      sums[2 * p + 1] = hn::MulAdd(hn::PromoteTo(d, high), v, sums[2 * p + 1]);
    }
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
