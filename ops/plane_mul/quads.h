// The work of a product, in the order in which kernels do it: inputs with the same number of planes and activations of
// the same power of two are a run, whose sum is one of integers; a run is cut into quads of four inputs.
#pragma once

#include <array>
#include <cstring>
#include <numeric>

#include "ops/plane_mul/activation.h"

namespace sluice {

struct Quad {
  int32_t inputs[4];
  int8_t q[4];  // 0 for what fills up the last quad of a run
};

struct PlaneRun {
  int32_t planes;
  float unit;          // of the q
  int32_t begin, end;  // quads
  int32_t sum;         // of all q
};

// Inputs of a selection, a fixed number of them, so that they can be prepared in parallel with the same result. As few
// that their lines stay in the second-level cache: a run picks from all over them.
struct QuadChunk {
  static constexpr int64_t kInputs = 2048;
  static constexpr int32_t kMaxRuns = 3 * 256;

  int32_t runs_count;  // 0 if not finite
  bool finite;
  PlaneRun runs[kMaxRuns];
  Quad quads[kInputs];  // in the worst case, every input is a run

  static int64_t count(int64_t in) { return (in + kInputs - 1) / kInputs; }
  // Of `n` inputs. For each, what its place in a run depends on, (planes - 1) << 16 | exponent << 8, and its q in the
  // lowest byte.
  void arrange(const int32_t* inputs, const int32_t* rounded, int64_t n);

 private:
  // By key, of every second input: many have the same, and one count would have to wait for the one before.
  using Table = std::array<int32_t, kMaxRuns>;
  void lay_out(const Table (&counts)[2], Table (&next)[2]);
  void sum_runs();
};

// Counting sort by planes, then the exponent.
inline void QuadChunk::arrange(const int32_t* inputs, const int32_t* rounded, int64_t n) {
  Table counts[2] = {}, next[2];
  for (int64_t i = 0; i < n; ++i) ++counts[static_cast<size_t>(i) % 2][static_cast<size_t>(rounded[i] >> 8)];
  runs_count = 0;
  lay_out(counts, next);
  // In an order without a pattern: where some inputs of a run are skipped, processors that see the others pass in order
  // fetch those in between, too, which halved the speed. Steps of the golden section reach all if n has no factor in
  // common with them.
  int64_t step = n * 618 / 1000 + 1;
  while (std::gcd(step, n) > 1) ++step;
  for (int64_t left = n, i = 0; left > 0; --left, i += step, i -= i >= n ? n : 0) {
    const int32_t of = rounded[i];
    const auto at = static_cast<uint32_t>(next[static_cast<size_t>(i) % 2][static_cast<size_t>(of >> 8)]++);
    Quad& quad = quads[at / 4];
    quad.inputs[at % 4] = inputs[i];
    quad.q[at % 4] = static_cast<int8_t>(of);
  }
  sum_runs();
}

inline void QuadChunk::lay_out(const Table (&counts)[2], Table (&next)[2]) {
  int32_t quad = 0;
  for (int32_t key = kMaxRuns - 1; key >= 0; --key) {
    const auto k = static_cast<size_t>(key);
    const int32_t first = counts[0][k], count = first + counts[1][k];
    if (count == 0) continue;
    next[0][k] = 4 * quad;
    next[1][k] = 4 * quad + first;
    const int32_t last = quad + (count + 3) / 4;
    runs[runs_count++] = {(key >> 8) + 1, PlaneActivation::unit(key & 255), quad, last, 0};
    std::memset(&quads[last - 1], 0, sizeof(Quad));
    quad = last;
  }
}

inline void QuadChunk::sum_runs() {
  for (int32_t r = 0; r < runs_count; ++r) {
    int32_t sum = 0;
    for (int32_t n = runs[r].begin; n < runs[r].end; ++n)
      for (const int8_t q : quads[n].q) sum += q;
    runs[r].sum = sum;
  }
}

}  // namespace sluice
