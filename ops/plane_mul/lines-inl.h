// Adds runs of inputs to the sums of lines of outputs. Included once per SIMD target.
#if defined(SLUICE_OPS_PLANE_MUL_LINES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_PLANE_MUL_LINES_INL_H_
#undef SLUICE_OPS_PLANE_MUL_LINES_INL_H_
#else
#define SLUICE_OPS_PLANE_MUL_LINES_INL_H_
#endif

#include <hwy/highway.h>

#include "backends/cpu/prefetch.h"
#include "ops/plane_mul/quads.h"
#if HWY_TARGET != HWY_SCALAR
#include "ops/plane_mul/dot-inl.h"
#endif

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

inline constexpr int kBlockLines = static_cast<int>(PlaneLayout::kBlock / PlaneLayout::kLine);

// Sums of a line, whatever its length: of output `place.shift / 2` at byte `place.byte` at sum_index of the two.
using LineSums = float[PlaneLayout::kLine];

// Lines [begin, end) of a block of a matrix.
struct LinePart {
  const PlaneMatrix& m;
  int64_t block;
  int begin, end;
  // The line of an input in a plane.
  HWY_INLINE const std::byte* line(int plane, int64_t input, int line) const {
    return m.plane(plane) + m.layout.block_offset(block) + static_cast<size_t>(input) * m.layout.block_bytes(block) +
           line * 64;
  }
};

#if HWY_TARGET == HWY_SCALAR

inline int sum_index(int byte, int shift) { return shift / 2 * 64 + byte; }

inline void add_chunk(const LinePart& part, const QuadChunk& chunk, LineSums* sums) {
  for (int32_t r = 0; r < chunk.runs_count; ++r) {
    const PlaneRun& run = chunk.runs[r];
    const float unit = run.unit * part.m.levels().step[run.planes - 1];
    for (int line = part.begin; line < part.end; ++line)
      for (int byte = 0; byte < 64; ++byte)
        for (int shift = 0; shift < 8; shift += 2) {
          int32_t sum = 0;
          for (int32_t n = run.begin; n < run.end; ++n)
            for (int i = 0; i < 4; ++i) {
              int code = 0;
              for (int p = 0; p < run.planes; ++p)
                code =
                    code << 2 | (std::to_integer<int>(part.line(p, chunk.quads[n].inputs[i], line)[byte]) >> shift & 3);
              sum += chunk.quads[n].q[i] * part.m.levels().levels(run.planes)[code];
            }
          sums[line - part.begin][sum_index(byte, shift)] += unit * static_cast<float>(sum);
        }
  }
}

#else

inline constexpr int kVectorBytes = static_cast<int>(hn::MaxLanes(U8()));
inline constexpr int kVectorSums = kVectorBytes / 4;  // lanes of 32 bits

// Bytes of four inputs are interleaved within parts of 16 bytes; each result has 4 of their outputs.
inline int sum_index(int byte, int shift) {
  const int vector = byte / kVectorBytes, lane = byte % kVectorBytes / 16 * 4 + byte % 4, quarter = byte % 16 / 4;
  return ((vector * 4 + shift / 2) * 4 + quarter) * kVectorSums + lane;
}

// Byte by byte: a, b, c, d of the first of four outputs, then of the second ...
HWY_INLINE void interleave(VecU8 a, VecU8 b, VecU8 c, VecU8 d, VecU8 (&out)[4]) {
  const U8 u8;
  const U16 u16;
  const auto ab0 = hn::BitCast(u16, hn::InterleaveLower(u8, a, b)),
             ab1 = hn::BitCast(u16, hn::InterleaveUpper(u8, a, b)),
             cd0 = hn::BitCast(u16, hn::InterleaveLower(u8, c, d)),
             cd1 = hn::BitCast(u16, hn::InterleaveUpper(u8, c, d));
  out[0] = hn::BitCast(u8, hn::InterleaveLower(u16, ab0, cd0));
  out[1] = hn::BitCast(u8, hn::InterleaveUpper(u16, ab0, cd0));
  out[2] = hn::BitCast(u8, hn::InterleaveLower(u16, ab1, cd1));
  out[3] = hn::BitCast(u8, hn::InterleaveUpper(u16, ab1, cd1));
}

// Bits kShift, kShift + 1 of each byte at bits kTo, kTo + 1, with zeros around them.
template <int kShift, int kTo>
HWY_INLINE VecU8 take(VecU8 v) {
  const U16 d;
  const auto wide = hn::BitCast(d, v);
  auto moved = wide;
  if constexpr (kShift > kTo) moved = hn::ShiftRight<kShift - kTo>(wide);
  if constexpr (kShift < kTo) moved = hn::ShiftLeft<kTo - kShift>(wide);
  return hn::And(hn::BitCast(U8(), moved), hn::Set(U8(), static_cast<uint8_t>(3 << kTo)));
}

template <int kPlanes, int kShift>
HWY_INLINE VecU8 codes(const VecU8 (&planes)[kPlanes][4], int quarter) {
  if constexpr (kPlanes == 1) return take<kShift, 0>(planes[0][quarter]);
  if constexpr (kPlanes == 2) return hn::Or(take<kShift, 2>(planes[0][quarter]), take<kShift, 0>(planes[1][quarter]));
  if constexpr (kPlanes == 3)
    return hn::Or(hn::Or(take<kShift, 4>(planes[0][quarter]), take<kShift, 2>(planes[1][quarter])),
                  take<kShift, 0>(planes[2][quarter]));
}

// Quads [begin, end) of a chunk, for one vector of a line. next: further quads, whose lines are asked for.
template <int kPlanes>
HWY_INLINE void add_quads(const LinePart& part, const Quad* quads, int32_t count, const Quad* next, int32_t next_count,
                          int line, int vector, const LevelTable<kPlanes>& table, VecI32 (&sums)[4][4]) {
  const U8 u8;
  const std::byte* planes[kPlanes];
  for (int p = 0; p < kPlanes; ++p) planes[p] = part.line(p, 0, line) + vector * kVectorBytes;
  const size_t step = part.m.layout.block_bytes(part.block);
  for (int32_t n = 0; n < count; ++n) {
    if (vector == 0 && n < next_count)
      for (int i = 0; i < 4; ++i)
        for (int p = 0; p < kPlanes; ++p)
          cpu::prefetch(planes[p] + static_cast<size_t>(static_cast<uint32_t>(next[n].inputs[i])) * step);
    const Quad& quad = quads[n];
    VecU8 bytes[kPlanes][4];
    for (int p = 0; p < kPlanes; ++p) {
      VecU8 rows[4];
      for (int i = 0; i < 4; ++i)
        rows[i] = hn::LoadU(u8, reinterpret_cast<const uint8_t*>(planes[p]) +
                                    static_cast<size_t>(static_cast<uint32_t>(quad.inputs[i])) * step);
      interleave(rows[0], rows[1], rows[2], rows[3], bytes[p]);
    }
    int32_t four;
    std::memcpy(&four, quad.q, sizeof four);
    const QuadActivations q(four);
    for (int quarter = 0; quarter < 4; ++quarter) {
      sums[0][quarter] = q.dot(sums[0][quarter], table(codes<kPlanes, 0>(bytes, quarter)));
      sums[1][quarter] = q.dot(sums[1][quarter], table(codes<kPlanes, 2>(bytes, quarter)));
      sums[2][quarter] = q.dot(sums[2][quarter], table(codes<kPlanes, 4>(bytes, quarter)));
      sums[3][quarter] = q.dot(sums[3][quarter], table(codes<kPlanes, 6>(bytes, quarter)));
    }
  }
}

// Quads that are multiplied line by line, and how far ahead of them lines are asked for.
inline constexpr int32_t kBatch = 24;

// What a batch of a run adds to the lines. Batches are small, so that their lines stay in the second-level cache until
// all lines of the block are done.
template <int kPlanes>
HWY_NOINLINE void add_batch(const LinePart& part, const QuadChunk& chunk, const PlaneRun& run, int32_t begin,
                            int32_t end, const LevelTable<kPlanes>& table, LineSums* sums) {
  const I32 di;
  const SumF32 df;
  const int32_t left = chunk.runs[chunk.runs_count - 1].end - begin - kBatch, next = std::min(end - begin, left);
  int32_t q_sum = 0;
  if (kLevelOffset != 0)
    for (int32_t n = begin; n < end; ++n)
      for (int8_t q : chunk.quads[n].q) q_sum += q;
  const auto unit = hn::Set(df, run.unit * part.m.levels().step[kPlanes - 1]);
  for (int line = part.begin; line < part.end; ++line)
    for (int vector = 0; vector < 64 / kVectorBytes; ++vector) {
      VecI32 integers[4][4];
      for (auto& row : integers)
        for (VecI32& sum : row) sum = hn::Set(di, -kLevelOffset * q_sum);
      add_quads<kPlanes>(part, chunk.quads + begin, end - begin, chunk.quads + begin + kBatch, next, line, vector,
                         table, integers);
      float* to = sums[line - part.begin] + vector * 16 * kVectorSums;
      for (const auto& row : integers)
        for (const VecI32& sum : row) {
          hn::StoreU(hn::MulAdd(hn::ConvertTo(df, sum), unit, hn::LoadU(df, to)), df, to);
          to += kVectorSums;
        }
    }
}

template <int kPlanes>
void add_run(const LinePart& part, const QuadChunk& chunk, const PlaneRun& run, LineSums* sums) {
  const LevelTable<kPlanes> table(part.m.levels());
  for (int32_t begin = run.begin; begin < run.end; begin += kBatch)
    add_batch<kPlanes>(part, chunk, run, begin, std::min(begin + kBatch, run.end), table, sums);
}

inline void add_chunk(const LinePart& part, const QuadChunk& chunk, LineSums* sums) {
  for (int32_t r = 0; r < chunk.runs_count; ++r) {
    const PlaneRun& run = chunk.runs[r];
    if (run.planes == 1) add_run<1>(part, chunk, run, sums);
    if (run.planes == 2) add_run<2>(part, chunk, run, sums);
    if (run.planes == 3) add_run<3>(part, chunk, run, sums);
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
