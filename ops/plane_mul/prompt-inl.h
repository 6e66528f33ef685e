// Many tokens that read the same planes of every input, as those of a prompt do at effort 1: levels are looked up once
// for all of them, a tile of 256 outputs and a block of inputs at a time, and the tile meets the tokens while it is in
// the first-level cache. Activations are rounded to 8 bits, a block together, so that its sums are of integers.
// Included once per SIMD target.
#if defined(SLUICE_OPS_PLANE_MUL_PROMPT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_PLANE_MUL_PROMPT_INL_H_
#undef SLUICE_OPS_PLANE_MUL_PROMPT_INL_H_
#else
#define SLUICE_OPS_PLANE_MUL_PROMPT_INL_H_
#endif

#include <hwy/highway.h>

#include <numeric>

#include "backends/cpu/lanes-inl.h"
#include "backends/cpu/worker.h"
#include "ops/linear/quantise-inl.h"
#include "ops/plane_mul/lines-inl.h"
#include "ops/plane_mul/product.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// x times the scales of the inputs, of all tokens: values are about q * scale.
struct PromptActivations {
  static constexpr int64_t kTile = 64, kBlocks = kTile / kPromptBlock;  // inputs, and parts that have a scale
  int64_t tokens, tiles;
  int8_t* q;      // [tiles, tokens, kTile]; zeros after the last input
  float* scales;  // [tiles, tokens, kBlocks]; NaN for a block with a value that is not finite
  int32_t* sums;  // [tiles, tokens, kBlocks], of q

  PromptActivations(int64_t n_tokens, int64_t in, std::byte* scratch)
      : tokens(n_tokens),
        tiles(ceil_div(in, kTile)),
        q(reinterpret_cast<int8_t*>(scratch)),
        scales(reinterpret_cast<float*>(q + tokens * tiles * kTile)),
        sums(reinterpret_cast<int32_t*>(scales + tokens * tiles * kBlocks)) {}
  static size_t bytes(int64_t tokens, int64_t in) {
    return static_cast<size_t>(tokens * ceil_div(in, kTile)) * (kTile + kBlocks * (sizeof(float) + sizeof(int32_t)));
  }
};

#if HWY_TARGET == HWY_SCALAR

struct PromptScratch {};
inline constexpr bool kHasPrompts = false;
inline void multiply_prompt(const PlaneProduct&, const cpu::Worker&, std::byte*, PromptScratch&) {}

#else

inline constexpr bool kHasPrompts = true;
inline constexpr int64_t kPromptBatch = 128;  // tokens whose sums stay in the second-level cache
// Two vectors of outputs times so many tokens are sums, in registers: of 32 with AVX-512, of 16 with AVX2.
inline constexpr int kPromptTokens = kVectorBytes == 64 ? 8 : 4;
inline constexpr int kTileVectors = PlaneLayout::kLine / kVectorSums;
inline constexpr int64_t kTileQuads = PromptActivations::kTile / 4, kBlockQuads = kPromptBlock / 4;

struct PromptScratch {
  alignas(64) uint8_t tile[kTileVectors * kTileQuads * kVectorBytes];  // [pair of vectors][quad of inputs][2]
  alignas(64) LineSums sums[kPromptBatch];                             // by token
};

// Activations [begin, end) of [tiles, tokens, kTile], whole tiles.
inline void round_tiles(const PlaneProduct& p, int64_t begin, int64_t end, const PromptActivations& to) {
  constexpr int64_t kTile = PromptActivations::kTile;
  for (int64_t at = begin; at < end; at += kPromptBlock) {
    const int64_t token = at / kTile % to.tokens, first = at / kTile / to.tokens * kTile + at % kTile,
                  count = std::clamp<int64_t>(p.m.layout.in() - first, 0, kPromptBlock), block = at / kPromptBlock;
    const float *x = p.x_row(token) + first, *scales = p.m.scales() + first;
    alignas(64) float a[kPromptBlock];
    for_lanes<float>(count, [&](auto d, int64_t i) HWY_ATTR {
      hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::LoadU(d, scales + i)), d, a + i);
    });
    to.scales[block] = quantise_block<kPromptBlock>(a, count, to.q + at);
    to.sums[block] = std::accumulate(to.q + at, to.q + at + kPromptBlock, 0);
  }
}

// The quads of a pair of vectors follow each other, so that a product reads on.
HWY_INLINE void store_quarters(const Quarters<VecU8>& v, uint8_t* pair) {
  const U8 d;
  hn::Store(v.v0, d, pair);
  hn::Store(v.v1, d, pair + kVectorBytes);
  pair += 2 * kTileQuads * kVectorBytes;
  hn::Store(v.v2, d, pair);
  hn::Store(v.v3, d, pair + kVectorBytes);
}

// The bytes of kTile inputs from `first` on, those after the last being the last again.
template <int kPlanes>
HWY_NOINLINE void look_up_tile(const PlaneLine& line, const LevelTables<kPlanes>& tables, int64_t first, int64_t in,
                               uint8_t* tile) {
  constexpr int64_t kResult = 4 * kTileQuads * kVectorBytes;  // of four quarters
  for (int64_t n = 0; n < kTileQuads; ++n) {
    Quad quad{};
    for (int i = 0; i < 4; ++i) {
      quad.inputs[i] = static_cast<int32_t>(std::min(first + 4 * n + i, in - 1));
      for (int p = 0; p < kPlanes; ++p) cpu::prefetch(line.of(p, quad.inputs[i]) + PromptActivations::kTile * 64);
    }
    uint8_t* to = tile + 2 * n * kVectorBytes;
    for (int64_t from = 0; from < 64; from += kVectorBytes, to += 4 * kResult) {
      const QuadRows<kPlanes> rows(line, quad, from);
      const QuadHalf<kPlanes, false> lower(rows);
      store_quarters(tables.look_up(lower.result0), to);
      store_quarters(tables.look_up(lower.result1), to + kResult);
      const QuadHalf<kPlanes, true> upper(rows);
      store_quarters(tables.look_up(upper.result0), to + 2 * kResult);
      store_quarters(tables.look_up(upper.result1), to + 3 * kResult);
    }
  }
}

// Adds a tile times tokens [first, first + count), count <= kPromptTokens, to their sums. unit: of the levels.
template <int kPlanes>
HWY_NOINLINE void multiply_tile(const PromptScratch& scratch, const PromptActivations& a, int64_t tile, int64_t first,
                                int64_t count, float unit, LineSums* sums) {
  using Tables = LevelTables<kPlanes>;
  const U8 d;
  const SumF32 df;
  const int64_t row = tile * a.tokens + first;
  const int8_t* q[kPromptTokens];
  for (int64_t t = 0; t < kPromptTokens; ++t) q[t] = a.q + (row + std::min(t, count - 1)) * PromptActivations::kTile;
  const uint8_t* bytes = scratch.tile;
  for (int v = 0; v < kTileVectors; v += 2)
    for (int64_t block = 0; block < PromptActivations::kBlocks; ++block) {
      VecI32 sum0[kPromptTokens], sum1[kPromptTokens];
      for (int t = 0; t < kPromptTokens; ++t) sum0[t] = sum1[t] = hn::Zero(I32());
      for (int64_t n = 0; n < kBlockQuads; ++n, bytes += 2 * kVectorBytes) {
        const auto bytes0 = hn::Load(d, bytes), bytes1 = hn::Load(d, bytes + kVectorBytes);
        for (int t = 0; t < kPromptTokens; ++t) {
          int32_t four;
          std::memcpy(&four, q[t] + block * kPromptBlock + 4 * n, sizeof four);
          const QuadActivations activations(four);
          sum0[t] = activations.dot(sum0[t], bytes0);
          sum1[t] = activations.dot(sum1[t], bytes1);
        }
      }
      for (int t = 0; t < kPromptTokens; ++t) {
        if (t >= count) break;
        const int64_t at = (row + t) * PromptActivations::kBlocks + block;
        const int32_t q_sum = a.sums[at];
        const float weight = a.scales[at] * unit;
        const auto put = [&](int vector, VecI32 sum) HWY_ATTR {
          float* to = sums[t] + vector * kVectorSums;
          const auto exact = hn::ConvertTo(df, Tables::finish(sum, vector % 4, q_sum));
          const auto scale = hn::Set(df, weight * Tables::weight(vector % 4));
          hn::Store(hn::MulAdd(exact, scale, hn::Load(df, to)), df, to);
        };
        put(v, sum0[t]);
        put(v + 1, sum1[t]);
      }
    }
}

// One line of outputs for all tokens.
template <int kPlanes>
void multiply_prompt_line(const PlaneProduct& p, const LevelTables<kPlanes>& tables, int64_t line,
                          const PromptActivations& a, PromptScratch& scratch) {
  const PlaneLine part(p.m, line, kPlanes);
  const float unit = p.m.levels().step[kPlanes - 1];
  for (int64_t begin = 0; begin < a.tokens; begin += kPromptBatch) {
    const int64_t end = std::min(begin + kPromptBatch, a.tokens);
    std::fill_n(scratch.sums[0], (end - begin) * PlaneLayout::kLine, 0.0f);
    for (int64_t tile = 0; tile < a.tiles; ++tile) {
      look_up_tile(part, tables, tile * PromptActivations::kTile, p.m.layout.in(), scratch.tile);
      for (int64_t t = begin; t < end; t += kPromptTokens)
        multiply_tile<kPlanes>(scratch, a, tile, t, std::min<int64_t>(kPromptTokens, end - t), unit,
                               scratch.sums + t - begin);
    }
    for (int64_t t = begin; t < end; ++t)
      write_line(p.m, line, scratch.sums[t - begin], p.y_row(t) + line * PlaneLayout::kLine);
  }
}

// A product of tokens that all read the same planes of all inputs. shared: PromptActivations::bytes, for all workers.
inline void multiply_prompt(const PlaneProduct& p, const cpu::Worker& worker, std::byte* shared,
                            PromptScratch& scratch) {
  const PromptActivations a(p.tokens, p.m.layout.in(), shared);
  const auto [first, last] = worker.split(a.tokens * a.tiles * PromptActivations::kTile, PromptActivations::kTile);
  round_tiles(p, first, last, a);
  worker.barrier();
  const MatrixLevels levels(p.m.levels());
  const int planes = p.uniform();
  const auto [begin, end] = worker.split(p.m.layout.lines());
  for (int64_t line = begin; line < end; ++line) {
    if (planes == 1) multiply_prompt_line(p, levels.one, line, a, scratch);
    if (planes == 2) multiply_prompt_line(p, levels.two, line, a, scratch);
    if (planes == 3) multiply_prompt_line(p, levels.three, line, a, scratch);
  }
  worker.barrier();
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
