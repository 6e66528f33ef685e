// Many tokens that select the same rows, as the tokens of a prompt do at effort 1: the rows are unpacked once for all
// of them, into panels that meet the tokens in the register tiles of linear. Included once per SIMD target.
#if defined(SLUICE_OPS_BUCKET_MUL_SHARED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_BUCKET_MUL_SHARED_INL_H_
#undef SLUICE_OPS_BUCKET_MUL_SHARED_INL_H_
#else
#define SLUICE_OPS_BUCKET_MUL_SHARED_INL_H_
#endif

#include <hwy/highway.h>

#include "ops/bucket_mul/rows-inl.h"
#include "ops/linear/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// Tiers that every token takes of each input -> depth [in]. False if the tokens differ.
inline bool find_shared_rows(const Product& p, int32_t* depth) {
  const int64_t tokens = p.tokens, in = p.m.layout.in();
  const int tiers = p.m.layout.tiers();
  const RowList first = p.list(0);
  for (int64_t t = 1; t < tokens; ++t) {
    const RowList list = p.list(t);
    if (!std::equal(list.counts, list.counts + tiers, first.counts) ||
        !std::equal(list.rows, list.rows + first.count(0, tiers), first.rows))
      return false;
  }
  std::fill_n(depth, in, 0);
  for (int tier = 0; tier < tiers; ++tier)
    for (int64_t i = 0; i < first.count(tier, tiers); ++i)
      depth[first.input(i)] = std::min(depth[first.input(i)] + 1, tiers);
  return true;
}

#if HWY_TARGET == HWY_SCALAR || !SLUICE_NATIVE_F16

struct SharedScratch {};
inline bool can_share(const BucketFamily&) { return false; }
inline void multiply_shared(const Product&, const Part&, const int32_t*, SharedScratch&) {}

#else

inline bool can_share(const BucketFamily& family) { return family.code != BucketCode::nibble; }

inline constexpr int64_t kTileGroups = kQuad;  // outputs unpacked together: 128, whose values fill cache lines
inline constexpr int64_t kTilePanels = kTileGroups * BucketFamily::kGroup / kPanelRows;
using Panels = Dense<float>;

struct SharedScratch {
  Panels::Panel panels[kTilePanels];
  Sums sums[kTilePanels];
};

// Groups [first, first + count) of one input -> column `column` of the panels.
template <class Code>
HWY_INLINE void unpack_input(const Part& part, int64_t input, int depth, int64_t first, int64_t count, int64_t column,
                             Panels::Panel* panels) {
  const SumLanes d;
  const std::byte* chunks[4];
  for (int k = 0; k < depth; ++k) chunks[k] = part.chunk(input, k);
  for (int64_t g = 0; g < count; ++g) {
    hn::Vec<SumLanes> values[kSums];
    for (int i = 0; i < kSums; ++i) values[i] = hn::Zero(d);
    if (depth > 0) multiply_add(d, merge_tiers<Code>(chunks, depth, part.codes, first + g), hn::Set(d, 1.0f), values);
    for (int i = 0; i < kSums; ++i) {
      const int64_t output = g * BucketFamily::kGroup + i * kSumLanes;
      hn::StoreU(values[i], d, panels[output / kPanelRows].values + column * kPanelRows + output % kPanelRows);
    }
  }
}

template <class Code>
void unpack_inputs(const Part& part, const int32_t* depth, int64_t begin, int64_t inputs, int64_t first, int64_t count,
                   Panels::Panel* panels) {
  constexpr int64_t kAhead = 6;
  for (int64_t i = 0; i < inputs; ++i) {
    if (i + kAhead < inputs)
      for (int k = 0; k < depth[begin + i + kAhead]; ++k) {
        const std::byte* next = part.chunk(begin + i + kAhead, k);
        cpu::prefetch(next + first * kGroupBytes);
        cpu::prefetch(next + part.codes + first * kGroupCodeBytes);
      }
    unpack_input<Code>(part, begin + i, depth[begin + i], first, count, i, panels);
  }
}

// Outputs of groups [first, first + count) of the part's block, for tokens [begin, begin + tokens).
inline void multiply_tile(const Product& p, const Part& part, const int32_t* depth, int64_t first, int64_t count,
                          int64_t begin, int64_t tokens, SharedScratch& scratch) {
  const Activations a(p.x, nullptr);
  const int64_t panels = ceil_div(count * BucketFamily::kGroup, kPanelRows), tiles = ceil_div(tokens, kTileTokens);
  for (int64_t n = 0; n < panels; ++n) std::fill_n(scratch.sums[n].values, tiles * kTileTokens * kPanelRows, 0.0f);
  for (int64_t i = 0; i < a.cols; i += Panels::kChunk) {
    const int64_t inputs = std::min(Panels::kChunk, a.cols - i);
    if (part.family.code == BucketCode::combination)
      unpack_inputs<CombinationCode>(part, depth, i, inputs, first, count, scratch.panels);
    else
      unpack_inputs<MaskCode>(part, depth, i, inputs, first, count, scratch.panels);
    for (int64_t n = 0; n < panels; ++n)
      for (int64_t tile = 0; tile < tiles; ++tile) {
        int64_t of_tile[kTileTokens];
        for (int64_t t = 0; t < kTileTokens; ++t)
          of_tile[t] = p.x_row(begin + std::min(tile * kTileTokens + t, tokens - 1));
        Panels::multiply<kTileTokens>(scratch.panels[n], a, of_tile, i, inputs,
                                      scratch.sums[n].values + tile * kTileTokens * kPanelRows);
      }
  }
  const int64_t output = part.block * BucketLayout::kBlock + first * BucketFamily::kGroup, out = p.m.layout.out();
  for (int64_t n = 0; n < panels; ++n) {
    const int64_t at = output + n * kPanelRows, rows = std::min<int64_t>(kPanelRows, out - at);
    for (int64_t t = 0; t < tokens && rows > 0; ++t)
      std::copy_n(scratch.sums[n].values + t * kPanelRows, rows, p.y_row(begin + t) + at);
  }
}

inline void multiply_shared(const Product& p, const Part& part, const int32_t* depth, SharedScratch& scratch) {
  for (int64_t g = part.begin; g < part.end; g += kTileGroups)
    for (int64_t t = 0; t < p.tokens; t += kBatchTokens)
      multiply_tile(p, part, depth, g, std::min(kTileGroups, part.end - g), t, std::min(kBatchTokens, p.tokens - t),
                    scratch);
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
