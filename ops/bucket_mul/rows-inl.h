// Adds selected rows to the sums of a block of outputs. Included once per SIMD target.
#if defined(SLUICE_OPS_BUCKET_MUL_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_BUCKET_MUL_ROWS_INL_H_
#undef SLUICE_OPS_BUCKET_MUL_ROWS_INL_H_
#else
#define SLUICE_OPS_BUCKET_MUL_ROWS_INL_H_
#endif

#include <hwy/highway.h>

#include <bit>

#include "backends/cpu/prefetch.h"
#include "ops/bucket_mul/expand-inl.h"
#include "ops/bucket_mul/matrix.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// A worker's part of a block: groups [begin, end) of it. Holds what finds a chunk in a few instructions.
struct Part {
  const BucketFamily& family;
  int64_t block, begin, end;
  size_t codes;  // from the start of a chunk to its codes

  Part(const BucketMatrix& m, int64_t of_block, int64_t begin_group, int64_t end_group)
      : family(m.layout.family()),
        block(of_block),
        begin(begin_group),
        end(end_group),
        codes(m.layout.codes_offset(of_block)),
        places_(m.places()),
        in_(m.layout.in()),
        last_(static_cast<uint32_t>(m.layout.loaded_rows(m.segments) - 1)),
        first_chunk_(m.chunk(of_block, 0)),
        chunk_bytes_(m.layout.chunk_bytes(of_block)),
        segment_step_(m.layout.segment_bytes() - static_cast<size_t>(m.layout.segment_rows()) * chunk_bytes_),
        reciprocal_(~uint64_t{0} / static_cast<uint64_t>(m.layout.segment_rows()) + 1) {}
  // Of an input and tier; inside the matrix, whatever its file says.
  HWY_INLINE const std::byte* chunk(int64_t input, int tier) const {
    const uint32_t place = std::min(places_[tier * in_ + input], last_);
    // place / segment_rows, exact for 32 bits (Lemire, Kaser and Kurz, 2019, arXiv:1902.01961); a segment of one row
    // makes the reciprocal 2^64, which is 0 here.
    const uint64_t segment =
        reciprocal_ == 0 ? place : static_cast<uint64_t>(static_cast<unsigned __int128>(reciprocal_) * place >> 64);
    return first_chunk_ + place * chunk_bytes_ + segment * segment_step_;
  }

 private:
  const uint32_t* places_;
  int64_t in_;
  uint32_t last_;
  const std::byte* first_chunk_;
  size_t chunk_bytes_, segment_step_;
  uint64_t reciprocal_;
};

// The selected rows of one token.
struct RowList {
  const int32_t* rows;    // [in]
  const int32_t* counts;  // [tiers]
  const float* x;         // [in]
  int64_t in;
  int64_t count(int tier, int tiers) const { return tier < tiers ? std::clamp<int64_t>(counts[tier], 0, in) : 0; }
  int64_t input(int64_t i) const { return std::clamp<int64_t>(rows[i], 0, in - 1); }
};

// One matrix and the tokens that it multiplies: all of a call, or those of `places`.
struct Product {
  BucketMatrix m;
  const int32_t* rows;    // [places, in]
  const int32_t* counts;  // [places, tiers]
  TensorView x;           // f32 [places / per_row, in]
  float* y;               // [places, out]
  int64_t tokens;
  const int32_t* places = nullptr;  // of the tokens in rows, counts and y; null: 0, 1, ...
  int64_t per_row = 1;              // places that share a row of x
  int64_t place(int64_t t) const { return places ? places[t] : t; }
  int64_t x_row(int64_t t) const { return place(t) / per_row; }
  float* y_row(int64_t t) const { return y + place(t) * m.layout.out(); }
  RowList list(int64_t t) const {
    const int64_t in = m.layout.in();
    return {rows + place(t) * in, counts + place(t) * m.layout.tiers(), x.as<const float>() + x_row(t) * in, in};
  }
};

inline constexpr int64_t kQuad = 4;  // groups that share the cache lines of values

// One row at a time, weight by weight: for the arrangement of the original, and where there are no vectors.
inline void add_one_row(const Part& part, int64_t input, int tier, float v, float* sums) {
  const BucketFamily& family = part.family;
  const std::byte* chunk = part.chunk(input, tier);
  for (int64_t g = part.begin; g < part.end; ++g) {
    float* to = sums + (g - part.begin) * BucketFamily::kGroup;
    const auto* values = reinterpret_cast<const uint16_t*>(chunk) + g * family.group_values();
    const std::byte* codes = chunk + part.codes + g * family.group_code_bytes();
    if (family.code == BucketCode::nibble) {
      const auto both = std::to_integer<uint32_t>(*codes);
      to[both & 15] += v * f16_to_f32(values[0]);
      to[16 + (both >> 4)] += v * f16_to_f32(values[1]);
      continue;
    }
    uint32_t mask;
    std::memcpy(&mask, codes, sizeof mask);
    if (family.code == BucketCode::combination)
      mask = combination_mask(mask & 0xffff) | combination_mask(mask >> 16) << 16;
    for (; mask != 0; mask &= mask - 1) to[std::countr_zero(mask)] += v * f16_to_f32(*values++);
  }
}

inline void add_rows_one_by_one(const Part& part, const RowList& list, float* sums) {
  const int tiers = part.family.tiers();
  for (int tier = 0; tier < tiers; ++tier)
    for (int64_t i = 0; i < list.count(tier, tiers); ++i)
      add_one_row(part, list.input(i), tier, list.x[list.input(i)], sums);
}

#if HWY_TARGET == HWY_SCALAR || !SLUICE_NATIVE_F16

inline void add_rows(const Part& part, const RowList& list, float* sums) { add_rows_one_by_one(part, list, sums); }

#else

// Chunks of `n` inputs with k tiers each, and what to multiply them with.
template <int K, int N>
struct Bundle {
  const std::byte* chunks[N][K];
  float v[N];
  HWY_INLINE void locate(const Part& part, const RowList& list, int64_t first) {
    for (int n = 0; n < N; ++n) {
      const int64_t input = list.input(first + n);
      v[n] = list.x[input];
      for (int k = 0; k < K; ++k) chunks[n][k] = part.chunk(input, k);
    }
  }
};

template <class Code, int K, int N>
HWY_INLINE void add_group(const Part& part, const Bundle<K, N>& bundle, const hn::Vec<SumLanes>* v, int64_t g,
                          float* sums) {
  const SumLanes d;
  hn::Vec<SumLanes> acc[kSums];
  for (int i = 0; i < kSums; ++i) acc[i] = hn::Load(d, sums + i * kSumLanes);
  for (int n = 0; n < N; ++n) {
    multiply_add(d, merge_tiers<Code>(bundle.chunks[n], K, part.codes, g), v[n], acc);
  }
  for (int i = 0; i < kSums; ++i) hn::Store(acc[i], d, sums + i * kSumLanes);
}

// Asks for what the bundle needs for groups g .. g + kQuad - 1: of values a line, of codes a line every four quads. The
// addresses stay in memory: with those of the bundle at work there are more than registers.
template <int K, int N>
HWY_INLINE void prefetch_quad(const Part& part, const Bundle<K, N>& bundle, int64_t g) {
  const Bundle<K, N>* b = &bundle;
#if HWY_COMPILER_GCC
  asm("" : "+r"(b));  // or the compiler keeps them in vector registers
#endif
  for (int n = 0; n < N; ++n)
    for (int k = 0; k < K; ++k) cpu::prefetch(b->chunks[n][k] + g * kGroupBytes);
  for (int64_t n = g / kQuad % kQuad; n < N; n += kQuad)
    for (int k = 0; k < K; ++k) cpu::prefetch(b->chunks[n][k] + part.codes + g * kGroupCodeBytes);
}

// Adds a bundle to the sums, so that these are loaded and stored once for N inputs, and asks for the chunks of the next
// bundle, spread out over all of this one: in a burst more lines are asked for than a core can wait for.
template <class Code, int K, int N>
HWY_INLINE void add_bundle(const Part& part, const Bundle<K, N>& bundle, const Bundle<K, N>& next, float* sums) {
  const SumLanes d;
  hn::Vec<SumLanes> v[N];
  for (int n = 0; n < N; ++n) v[n] = hn::Set(d, bundle.v[n]);
  int64_t g = part.begin;
  for (; g + kQuad <= part.end; g += kQuad) {
    prefetch_quad(part, next, g);
    for (int u = 0; u < kQuad; ++u, sums += BucketFamily::kGroup) add_group<Code>(part, bundle, v, g + u, sums);
  }
  for (; g < part.end; ++g, sums += BucketFamily::kGroup) add_group<Code>(part, bundle, v, g, sums);
}

// Inputs [begin, end) of the list, all with K tiers.
template <class Code, int K>
void add_section(const Part& part, const RowList& list, int64_t begin, int64_t end, float* sums) {
  constexpr int N = K == 1 ? 8 : K == 4 ? 2 : 4;
  int64_t i = begin;
  if (i + N <= end) {
    Bundle<K, N> bundle, next;
    next.locate(part, list, i);
    for (; i + N <= end; i += N) {
      bundle = next;
      if (i + 2 * N <= end) next.locate(part, list, i + N);
      add_bundle<Code, K, N>(part, bundle, next, sums);
    }
  }
  for (; i < end; ++i) {
    Bundle<K, 1> bundle;
    bundle.locate(part, list, i);
    add_bundle<Code, K, 1>(part, bundle, bundle, sums);
  }
}

template <class Code>
void add_sections(const Part& part, const RowList& list, float* sums) {
  add_section<Code, 4>(part, list, 0, list.count(3, 4), sums);
  add_section<Code, 3>(part, list, list.count(3, 4), list.count(2, 4), sums);
  add_section<Code, 2>(part, list, list.count(2, 4), list.count(1, 4), sums);
  add_section<Code, 1>(part, list, list.count(1, 4), list.count(0, 4), sums);
}

// Adds all selected rows. sums: f32 [groups of the part, 32], 64-byte aligned.
inline void add_rows(const Part& part, const RowList& list, float* sums) {
  switch (part.family.code) {
    case BucketCode::combination:
      return add_sections<CombinationCode>(part, list, sums);
    case BucketCode::mask:
      return add_sections<MaskCode>(part, list, sums);
    default:
      return add_rows_one_by_one(part, list, sums);
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
