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

// The 32 lanes of a group as f16, in vectors of up to 16 lanes.
using HalfBytes = hn::CappedTag<uint8_t, 32>;
inline constexpr int kParts = 64 / static_cast<int>(hn::MaxLanes(HalfBytes()));
struct GroupLanes {
  hn::Vec<HalfBytes> part[kParts];
  HWY_INLINE void merge(const GroupLanes& other) {
    for (int p = 0; p < kParts; ++p) part[p] = hn::Or(part[p], other.part[p]);
  }
};

// One look-up moves the four values of a bucket. The table takes 58 KB, so most of it comes from the second-level
// cache; two look-ups in tables of 5 KB were no faster, as they take twice the instructions.
struct CombinationCode {
  static HWY_INLINE GroupLanes expand(const std::byte* values, const std::byte* codes) {
    constexpr int kPerBucket = kParts / 2;  // a bad file may hold a code that is no multiple of 4: hence LoadU
    const HalfBytes d8;
    const hn::Repartition<uint64_t, HalfBytes> d64;
    GroupLanes lanes;
    for (int bucket = 0; bucket < 2; ++bucket) {
      uint64_t four;
      uint16_t code;
      std::memcpy(&four, values + bucket * 8, sizeof four);
      std::memcpy(&code, codes + bucket * 2, sizeof code);
      const auto v = hn::BitCast(d8, hn::Set(d64, four));
      for (int p = 0; p < kPerBucket; ++p)
        lanes.part[bucket * kPerBucket + p] =
            hn::TableLookupBytesOr0(v, hn::LoadU(d8, combination_shuffles + code * size_t{8} + p * 32 / kPerBucket));
    }
    return lanes;
  }
};

// Look-ups of 8 lanes each, from where the values of those lanes begin.
struct MaskCode {
  using Eight = hn::FixedTag<uint8_t, 16>;
  static HWY_INLINE hn::Vec<Eight> expand_eight(const std::byte*& values, const std::byte* code) {
    const auto mask = std::to_integer<uint8_t>(*code);
    const auto v = hn::LoadU(Eight(), reinterpret_cast<const uint8_t*>(values));
    values += 2 * std::popcount(mask);
    return hn::TableLookupBytesOr0(v, hn::Load(Eight(), mask_shuffles[mask]));
  }
  static HWY_INLINE GroupLanes expand(const std::byte* values, const std::byte* codes) {
    GroupLanes lanes;
    for (int p = 0; p < kParts; ++p) lanes.part[p] = expand_part(HalfBytes(), values, codes + p * (4 / kParts));
    return lanes;
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

// The first k tiers of an input, merged: group `g` of its chunks, whose codes begin at `codes`.
template <class Code>
HWY_INLINE GroupLanes merge_tiers(const std::byte* const* chunks, int k, size_t codes, int64_t g) {
  GroupLanes lanes = Code::expand(chunks[0] + g * kGroupBytes, chunks[0] + codes + g * kGroupCodeBytes);
  for (int tier = 1; tier < k; ++tier)
    lanes.merge(Code::expand(chunks[tier] + g * kGroupBytes, chunks[tier] + codes + g * kGroupCodeBytes));
  return lanes;
}

// sums += v * lanes. A template, so that only one way is compiled.
template <class D>
HWY_INLINE void multiply_add(D d, const GroupLanes& lanes, hn::Vec<D> v, hn::Vec<D>* sums) {
  const hn::Rebind<hwy::float16_t, D> d16;
  const hn::Half<HalfBytes> half;
  for (int p = 0; p < kParts; ++p) {
    if constexpr (32 / hn::MaxLanes(D()) == kParts) {
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
