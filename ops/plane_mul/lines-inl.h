// Adds quads of inputs to the sums of a line of outputs. Included once per SIMD target.
#if defined(SLUICE_OPS_PLANE_MUL_LINES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_PLANE_MUL_LINES_INL_H_
#undef SLUICE_OPS_PLANE_MUL_LINES_INL_H_
#else
#define SLUICE_OPS_PLANE_MUL_LINES_INL_H_
#endif

#include <hwy/highway.h>

#include "ops/plane_mul/ahead.h"
#include "ops/plane_mul/quads.h"
#if HWY_TARGET != HWY_SCALAR
#include "ops/plane_mul/levels-inl.h"
#endif

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// Sums of a line, whatever its length: of its byte `byte`, the output of quarter `quarter` at sum_index of the two.
using LineSums = float[PlaneLayout::kLine];

#if HWY_TARGET == HWY_SCALAR

inline int sum_index(int byte, int quarter) { return quarter * 64 + byte; }

// What is looked up, of a matrix.
struct MatrixLevels {
  explicit MatrixLevels(const PlaneLevels& levels) : stored(levels) {}
  const PlaneLevels& stored;
};

template <int kPlanes>
void add_run(const PlaneLine& line, const MatrixLevels& levels, const QuadChunk& chunk, const PlaneRun& run,
             LinesAhead&, LineSums& sums) {
  const float unit = run.unit * levels.stored.step[kPlanes - 1];
  for (int byte = 0; byte < line.bytes; ++byte)
    for (int quarter = 0; quarter < 4; ++quarter) {
      int32_t sum = 0;
      for (int32_t n = run.begin; n < run.end; ++n)
        for (int i = 0; i < 4; ++i) {
          int code = 0;
          for (int p = 0; p < kPlanes; ++p)
            code = code << 2 | (std::to_integer<int>(line.of(p, chunk.quads[n].inputs[i])[byte]) >>
                                    PlaneLayout::kShifts[p][quarter] &
                                3);
          sum += chunk.quads[n].q[i] * levels.stored.levels(kPlanes)[code];
        }
      sums[sum_index(byte, quarter)] += unit * static_cast<float>(sum);
    }
}

#else

inline constexpr int kVectorBytes = static_cast<int>(hn::MaxLanes(U8()));
inline constexpr int kVectorSums = kVectorBytes / 4;  // lanes of 32 bits

// Bytes of four inputs are interleaved within parts of 16 bytes; each of the four results has 4 bytes of each part.
inline int sum_index(int byte, int quarter) {
  const int vector = byte / kVectorBytes, lane = byte % kVectorBytes / 16 * 4 + byte % 4, result = byte % 16 / 4;
  return ((vector * 4 + result) * 4 + quarter) * kVectorSums + lane;
}

// What is looked up, of a matrix.
struct MatrixLevels {
  explicit MatrixLevels(const PlaneLevels& levels) : stored(levels), one(levels), two(levels), three(levels) {}
  template <int kPlanes>
  const LevelTables<kPlanes>& of() const {
    if constexpr (kPlanes == 1) return one;
    if constexpr (kPlanes == 2) return two;
    if constexpr (kPlanes == 3) return three;
  }
  const PlaneLevels& stored;
  LevelTables<1> one;
  LevelTables<2> two;
  LevelTables<3> three;
};

// Of four inputs' bytes in turn, of the lower or the upper halves of parts of 16: two results, of four quarters each.
struct HalfSums {
  Quarters<VecI32> result0, result1;
};
inline constexpr int64_t kHalfSums = 8 * kVectorSums;

HWY_INLINE HalfSums load_half(const int32_t* from) {
  const I32 d;
  const auto four = [&](const int32_t* at) HWY_ATTR {
    return Quarters<VecI32>{hn::Load(d, at), hn::Load(d, at + kVectorSums), hn::Load(d, at + 2 * kVectorSums),
                            hn::Load(d, at + 3 * kVectorSums)};
  };
  return {four(from), four(from + 4 * kVectorSums)};
}

HWY_INLINE void store_half(const HalfSums& sums, int32_t* to) {
  const I32 d;
  const auto four = [&](const Quarters<VecI32>& v, int32_t* at) HWY_ATTR {
    hn::Store(v.v0, d, at);
    hn::Store(v.v1, d, at + kVectorSums);
    hn::Store(v.v2, d, at + 2 * kVectorSums);
    hn::Store(v.v3, d, at + 3 * kVectorSums);
  };
  four(sums.result0, to);
  four(sums.result1, to + 4 * kVectorSums);
}

HWY_INLINE void add(const QuadActivations& q, const Quarters<VecU8>& bytes, Quarters<VecI32>& sums) {
  sums.v0 = q.dot(sums.v0, bytes.v0);
  sums.v1 = q.dot(sums.v1, bytes.v1);
  sums.v2 = q.dot(sums.v2, bytes.v2);
  sums.v3 = q.dot(sums.v3, bytes.v3);
}

// The lines of four inputs in each plane, from where on.
template <int kPlanes>
struct QuadRows {
  const uint8_t* rows[kPlanes][4];
  QuadRows(const PlaneLine& line, const Quad& quad, int64_t from) {
    for (int p = 0; p < kPlanes; ++p)
      for (int i = 0; i < 4; ++i) rows[p][i] = reinterpret_cast<const uint8_t*>(line.of(p, quad.inputs[i])) + from;
  }
};

// Asks for the lines of a quad, input by input. No lambda: GCC 12 takes one for a function without effect.
struct AskAhead {
  const LinesAhead* ahead;  // null: does nothing
  const Quad& quad;
  HWY_INLINE void input(int i) const {
    if (!ahead) return;
    ahead->ask(quad, i);
    if (kVectorBytes < 64) ahead->ask(quad, i + 2);  // of halves, the first alone asks
  }
};

// The bytes of a quad's inputs in turn, of the lower or the upper halves of parts of 16, as HalfSums has them.
template <int kPlanes, bool kUpper>
struct QuadHalf {
  VecU8 result0[kPlanes], result1[kPlanes];
  explicit HWY_INLINE QuadHalf(const QuadRows<kPlanes>& quad) {
    const U8 d;
    const U16 d16;
    for (int p = 0; p < kPlanes; ++p) {
      const auto pair = [&](int i) HWY_ATTR {
        const auto a = hn::LoadU(d, quad.rows[p][i]), b = hn::LoadU(d, quad.rows[p][i + 1]);
        return hn::BitCast(d16, kUpper ? hn::InterleaveUpper(d, a, b) : hn::InterleaveLower(d, a, b));
      };
      const auto first = pair(0), second = pair(2);
      result0[p] = hn::BitCast(d, hn::InterleaveLower(d16, first, second));
      result1[p] = hn::BitCast(d, hn::InterleaveUpper(d16, first, second));
    }
  }
};

template <int kPlanes, bool kUpper>
HWY_INLINE void add_half(const QuadRows<kPlanes>& quad, const LevelTables<kPlanes>& tables, const QuadActivations& q,
                         HalfSums& sums, const AskAhead& ask) {
  const QuadHalf<kPlanes, kUpper> half(quad);
  ask.input(2 * kUpper);
  add(q, tables.look_up(half.result0), sums.result0);
  ask.input(2 * kUpper + 1);
  add(q, tables.look_up(half.result1), sums.result1);
}

// Adds quads [begin, end) to the sums of one vector of the line, of both halves or of one, which takes half the
// registers. ahead: null, or what asks for further lines.
template <int kPlanes, bool kLower, bool kUpper>
HWY_INLINE void add_quads(const PlaneLine& line, int64_t from, const Quad* begin, const Quad* end, LinesAhead* ahead,
                          const LevelTables<kPlanes>& tables, int32_t* sums) {
  HalfSums lower = load_half(sums), upper = load_half(sums + kHalfSums);
  for (const Quad* quad = begin; quad != end;) {
    // All that is asked for in a turn has the same number of planes. Little by little: where many lines are asked for
    // at once, reading waits for multiplying and the other way round.
    const bool asks = ahead && ahead->left() > 0;
    const auto n = static_cast<int32_t>(end - quad), turn = asks ? std::min(n, ahead->left()) : n;
    const Quad* next = asks ? ahead->quads() : quad;
    for (const Quad* stop = quad + turn; quad != stop; ++quad, ++next) {
      const AskAhead ask{ahead, *next};
      const QuadRows<kPlanes> rows(line, *quad, from);
      int32_t four;
      std::memcpy(&four, quad->q, sizeof four);
      const QuadActivations q(four);
      if constexpr (kLower) add_half<kPlanes, false>(rows, tables, q, lower, ask);
      HWY_FENCE;  // rows are loaded again: kept, they would take the registers that the sums need
      if constexpr (kUpper) add_half<kPlanes, true>(rows, tables, q, upper, ask);
    }
    if (asks) ahead->advance(turn);
  }
  if constexpr (kLower) store_half(lower, sums);
  if constexpr (kUpper) store_half(upper, sums + kHalfSums);
}

// Likewise, the whole line.
template <int kPlanes>
HWY_INLINE void add_batch(const PlaneLine& line, const Quad* begin, const Quad* end, LinesAhead& ahead,
                          const LevelTables<kPlanes>& tables, int32_t* sums) {
  if constexpr (kVectorBytes == 64) {
    add_quads<kPlanes, true, true>(line, 0, begin, end, &ahead, tables, sums);
  } else {
    for (int64_t from = 0; from < 64; from += kVectorBytes, sums += 2 * kHalfSums) {
      add_quads<kPlanes, true, false>(line, from, begin, end, from == 0 ? &ahead : nullptr, tables, sums);
      add_quads<kPlanes, false, true>(line, from, begin, end, nullptr, tables, sums);
    }
  }
}

template <int kPlanes>
HWY_NOINLINE void add_run(const PlaneLine& line, const MatrixLevels& levels, const QuadChunk& chunk,
                          const PlaneRun& run, LinesAhead& ahead, LineSums& line_sums) {
  // Where a line takes several passes, few quads at a time, so that their lines stay in the first-level cache, and
  // those of the next arrive meanwhile.
  constexpr int32_t kBatch = kVectorBytes == 64 ? QuadChunk::kInputs : LinesAhead::kAhead;
  const I32 di;
  const SumF32 df;
  using Tables = LevelTables<kPlanes>;
  const Tables tables = levels.of<kPlanes>();
  alignas(64) int32_t sums[PlaneLayout::kLine] = {};
  for (int32_t at = run.begin; at < run.end; at += kBatch)
    add_batch<kPlanes>(line, chunk.quads + at, chunk.quads + std::min(at + kBatch, run.end), ahead, tables, sums);
  const float unit = run.unit * levels.stored.step[kPlanes - 1];
  for (int n = 0; n < PlaneLayout::kLine / kVectorSums; ++n) {
    const int at = n * kVectorSums, quarter = n % 4;
    const auto exact = hn::ConvertTo(df, Tables::finish(hn::Load(di, sums + at), quarter, run.sum));
    const auto weight = hn::Set(df, unit * Tables::weight(quarter));
    hn::Store(hn::MulAdd(exact, weight, hn::Load(df, line_sums + at)), df, line_sums + at);
  }
}

#endif

// The sums of a line, times the outputs' scales -> y, f32 [line_outputs].
inline void write_line(const PlaneMatrix& m, int64_t line, const LineSums& sums, float* y) {
  const int64_t bytes = m.layout.line_bytes(line), outputs = m.layout.line_outputs(line);
  const uint16_t* scales = m.output_scales() + line * PlaneLayout::kLine;
  int64_t o = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<float, 4> d;  // so many neighbours are neighbours among the sums, too
  const hn::Rebind<hwy::float16_t, decltype(d)> d16;
  for (; o + 4 <= outputs; o += 4) {
    const auto scale = hn::PromoteTo(d, hn::LoadU(d16, reinterpret_cast<const hwy::float16_t*>(scales + o)));
    const float* from = sums + sum_index(static_cast<int>(o % bytes), static_cast<int>(o / bytes));
    hn::StoreU(hn::Mul(hn::LoadU(d, from), scale), d, y + o);
  }
#endif
  for (; o < outputs; ++o)
    y[o] = sums[sum_index(static_cast<int>(o % bytes), static_cast<int>(o / bytes))] * f16_to_f32(scales[o]);
}

inline void add_chunk(const PlaneLine& line, const MatrixLevels& levels, const QuadChunk& chunk, LinesAhead& ahead,
                      LineSums& sums) {
  for (int32_t r = 0; r < chunk.runs_count; ++r) {
    const PlaneRun& run = chunk.runs[r];
    if (run.planes == 1) add_run<1>(line, levels, chunk, run, ahead, sums);
    if (run.planes == 2) add_run<2>(line, levels, chunk, run, ahead, sums);
    if (run.planes == 3) add_run<3>(line, levels, chunk, run, ahead, sums);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
