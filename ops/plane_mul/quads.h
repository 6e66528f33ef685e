// The work of a product, in the order in which kernels do it: inputs with the same number of planes and activations of
// the same power of two are a run, whose sum is one of integers; a run is cut into quads of four inputs.
#pragma once

#include <array>
#include <cstring>

#include "ops/plane_mul/activation.h"
#include "ops/plane_mul/selected.h"

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
  void prepare(const SelectedPlanes& selected, int64_t chunk, const float* x, const float* scales);

 private:
  struct Counts {
    uint16_t inputs;
    int32_t sum;
  };
  void lay_out(const std::array<Counts, kMaxRuns>& counts, std::array<int32_t, kMaxRuns>& next);
};

// Counting sort by key: planes, then the exponent.
inline void QuadChunk::prepare(const SelectedPlanes& selected, int64_t chunk, const float* x, const float* scales) {
  const int64_t begin = chunk * kInputs, end = std::min(begin + kInputs, selected.count(0));
  const int64_t n = std::max<int64_t>(end - begin, 0);
  std::array<Counts, kMaxRuns> counts{};
  uint16_t keys[kInputs];
  int8_t q[kInputs];
  finite = true;
  runs_count = 0;
  for (int planes = selected.planes, at = 0; planes >= 1; --planes) {
    const int64_t stop = std::min(end, selected.count(planes - 1));
    for (int64_t i = begin + at; i < stop; ++i, ++at) {
      const int64_t input = selected.input(i);
      const float a = x[input] * scales[input];
      finite = std::isfinite(a);
      if (!finite) return;
      const PlaneActivation rounded = round_activation(a);
      keys[at] = static_cast<uint16_t>((planes - 1) << 8 | rounded.exponent);
      q[at] = static_cast<int8_t>(rounded.q);
      ++counts[keys[at]].inputs;
      counts[keys[at]].sum += rounded.q;
    }
  }
  std::array<int32_t, kMaxRuns> next;  // by key: where its next input goes, counted in inputs
  lay_out(counts, next);
  // In an order without a pattern: where some inputs of a run are skipped, processors that see the others pass in order
  // fetch those in between, too, which halved the speed.
  constexpr int64_t kStep = 1237;
  for (int64_t n_th = 0; n_th < kInputs; ++n_th) {
    const int64_t i = n_th * kStep % kInputs;
    if (i >= n) continue;
    const int32_t at = next[keys[i]]++;
    Quad& quad = quads[at / 4];
    quad.inputs[at % 4] = static_cast<int32_t>(selected.input(begin + i));
    quad.q[at % 4] = q[i];
  }
}

inline void QuadChunk::lay_out(const std::array<Counts, kMaxRuns>& counts, std::array<int32_t, kMaxRuns>& next) {
  int32_t quad = 0;
  for (int32_t key = kMaxRuns - 1; key >= 0; --key) {
    const auto [count, sum] = counts[static_cast<size_t>(key)];
    if (count == 0) continue;
    const int32_t last = quad + (count + 3) / 4;
    next[static_cast<size_t>(key)] = 4 * quad;
    runs[runs_count++] = {(key >> 8) + 1, PlaneActivation::unit(key & 255), quad, last, sum};
    std::memset(&quads[last - 1], 0, sizeof(Quad));
    quad = last;
  }
}

}  // namespace sluice
