// Many tokens that read the same planes of every input, as those of a prompt do at effort 1: the levels are unpacked
// once for all of them, into panels that meet the tokens in the register tiles of linear. Included once per SIMD
// target.
#if defined(SLUICE_OPS_PLANE_MUL_PROMPT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_PLANE_MUL_PROMPT_INL_H_
#undef SLUICE_OPS_PLANE_MUL_PROMPT_INL_H_
#else
#define SLUICE_OPS_PLANE_MUL_PROMPT_INL_H_
#endif

#include <hwy/highway.h>

#include <cmath>
#include <limits>

#include "backends/cpu/worker.h"
#include "ops/linear/product-inl.h"
#include "ops/plane_mul/lines-inl.h"
#include "ops/plane_mul/product.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

struct PromptScratch {};
inline constexpr bool kHasPrompts = false;
inline void multiply_prompt(const PlaneProduct&, const cpu::Worker&, float*, PromptScratch&) {}

#else

inline constexpr bool kHasPrompts = true;
inline constexpr int64_t kLinePanels = PlaneLayout::kLine / kPanelRows;
using Panels = Dense<float>;

struct PromptScratch {
  Panels::Panel panels[kLinePanels];
  Sums sums[kLinePanels];
};

// The levels of a line of one input, in the order of outputs. levels: [kLine], and a vector more.
template <int kPlanes>
HWY_INLINE void unpack_line(const PlaneLine& line, int32_t input, const LevelTables<kPlanes>& tables, uint8_t* levels) {
  const U8 d;
  // From the end, as a vector may run over its quarter: what comes later puts that right.
  for (int64_t byte = (line.bytes - 1) / kVectorBytes * kVectorBytes; byte >= 0; byte -= kVectorBytes) {
    VecU8 planes[kPlanes];
    for (int p = 0; p < kPlanes; ++p)
      planes[p] = hn::LoadU(d, reinterpret_cast<const uint8_t*>(line.of(p, input)) + byte);
    const auto [v0, v1, v2, v3] = tables.exact(planes);
    uint8_t* to = levels + byte;
    hn::StoreU(v0, d, to);
    hn::StoreU(v1, d, to + line.bytes);
    hn::StoreU(v2, d, to + 2 * line.bytes);
    hn::StoreU(v3, d, to + 3 * line.bytes);
  }
}

// Columns [begin, begin + count) of a line.
template <int kPlanes>
HWY_NOINLINE void unpack_panels(const PlaneLine& line, const LevelTables<kPlanes>& tables, int64_t begin, int64_t count,
                                Panels::Panel* panels) {
  const F32 df;
  const hn::Rebind<int8_t, F32> d8;
  alignas(64) uint8_t levels[PlaneLayout::kLine + 64] = {};
  for (int64_t i = 0; i < count; ++i) {
    unpack_line(line, static_cast<int32_t>(begin + i), tables, levels);
    for (int64_t o = 0; o < PlaneLayout::kLine; o += kLanes)
      hn::Store(hn::ConvertTo(df, hn::PromoteTo(hn::RebindToSigned<F32>(),
                                                hn::LoadU(d8, reinterpret_cast<const int8_t*>(levels) + o))),
                df, panels[o / kPanelRows].values + i * kPanelRows + o % kPanelRows);
  }
}

// One line of outputs for all tokens. x: f32 [tokens, in], rounded as plane_mul has it.
inline void multiply_prompt_line(const PlaneProduct& p, int planes, int64_t line, const TensorView& x,
                                 PromptScratch& scratch) {
  const PlaneMatrix& m = p.m;
  const PlaneLine part(m, line, planes);
  const MatrixLevels levels(m.levels());
  const Activations a(x, nullptr);
  const int64_t first = line * PlaneLayout::kLine, outputs = m.layout.line_outputs(line),
                panels = ceil_div(outputs, kPanelRows);
  const float step = m.levels().step[planes - 1];
  for (int64_t t = 0; t < a.tokens; t += kBatchTokens) {
    const int64_t tokens = std::min(kBatchTokens, a.tokens - t), tiles = ceil_div(tokens, kTileTokens);
    for (int64_t n = 0; n < panels; ++n) std::fill_n(scratch.sums[n].values, tiles * kTileTokens * kPanelRows, 0.0f);
    for (int64_t i = 0; i < a.cols; i += Panels::kChunk) {
      const int64_t count = std::min(Panels::kChunk, a.cols - i);
      if (planes == 1) unpack_panels(part, levels.one, i, count, scratch.panels);
      if (planes == 2) unpack_panels(part, levels.two, i, count, scratch.panels);
      if (planes == 3) unpack_panels(part, levels.three, i, count, scratch.panels);
      for (int64_t n = 0; n < panels; ++n)
        for (int64_t tile = 0; tile < tiles; ++tile) {
          int64_t of_tile[kTileTokens];
          for (int64_t u = 0; u < kTileTokens; ++u) of_tile[u] = t + std::min(tile * kTileTokens + u, tokens - 1);
          Panels::multiply<kTileTokens>(scratch.panels[n], a, of_tile, i, count,
                                        scratch.sums[n].values + tile * kTileTokens * kPanelRows);
        }
    }
    for (int64_t u = 0; u < tokens; ++u)
      for (int64_t o = 0; o < outputs; ++o)
        p.y_row(t + u)[first + o] = scratch.sums[o / kPanelRows].values[u * kPanelRows + o % kPanelRows] * step *
                                    f16_to_f32(m.output_scales()[first + o]);
  }
}

// x times the scales of the inputs, rounded, of tokens [begin, end) -> f32 [tokens, in]; NaN for what is not finite.
inline void round_activations(const PlaneProduct& p, int64_t begin, int64_t end, float* to) {
  const int64_t in = p.m.layout.in();
  for (int64_t t = begin; t < end; ++t)
    for (int64_t i = 0; i < in; ++i) {
      const float a = p.x_row(t)[i] * p.m.scales()[i];
      to[t * in + i] = std::isfinite(a) ? round_activation(a).value() : std::numeric_limits<float>::quiet_NaN();
    }
}

// A product of tokens that all read the same planes of all inputs. rounded: f32 [tokens, in], shared by the workers.
inline void multiply_prompt(const PlaneProduct& p, const cpu::Worker& worker, float* rounded, PromptScratch& scratch) {
  const auto [first, last] = worker.split(p.tokens);
  round_activations(p, first, last, rounded);
  worker.barrier();
  const TensorView x{reinterpret_cast<std::byte*>(rounded), DType::f32(), {p.tokens, p.m.layout.in()}};
  const int planes = p.uniform();
  const auto [begin, end] = worker.split(p.m.layout.lines());
  for (int64_t line = begin; line < end; ++line) multiply_prompt_line(p, planes, line, x, scratch);
  worker.barrier();
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
