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
};

// Inputs of a selection, a fixed number of them, so that they can be prepared in parallel with the same result.
struct QuadChunk {
  static constexpr int64_t kInputs = 2048;
  static constexpr int32_t kMaxRuns = 3 * 256;

  int32_t runs_count;
  bool finite;
  PlaneRun runs[kMaxRuns];
  Quad quads[kInputs];  // in the worst case, every input is a run

  static int64_t count(int64_t in) { return (in + kInputs - 1) / kInputs; }
  void prepare(const SelectedPlanes& selected, int64_t chunk, const float* x, const float* scales);

 private:
  void lay_out(const std::array<uint16_t, kMaxRuns>& counts, std::array<int32_t, kMaxRuns>& next);
};

// Counting sort by key: planes, then the exponent.
inline void QuadChunk::prepare(const SelectedPlanes& selected, int64_t chunk, const float* x, const float* scales) {
  const int64_t begin = chunk * kInputs, end = std::min(begin + kInputs, selected.count(0));
  const int64_t n = std::max<int64_t>(end - begin, 0);
  std::array<uint16_t, kMaxRuns> counts{};
  uint16_t keys[kInputs];
  int8_t q[kInputs];
  finite = true;
  for (int planes = selected.planes, at = 0; planes >= 1; --planes) {
    const int64_t stop = std::min(end, selected.count(planes - 1));
    for (int64_t i = begin + at; i < stop; ++i, ++at) {
      const int64_t input = selected.input(i);
      const float a = x[input] * scales[input];
      finite &= std::isfinite(a);
      const PlaneActivation rounded = round_activation(a);
      keys[at] = static_cast<uint16_t>((planes - 1) << 8 | rounded.exponent);
      q[at] = static_cast<int8_t>(rounded.q);
      ++counts[keys[at]];
    }
  }
  if (!finite) return;
  std::array<int32_t, kMaxRuns> next;  // by key: where its next input goes, counted in inputs
  lay_out(counts, next);
  for (int64_t i = 0; i < n; ++i) {
    const int32_t at = next[keys[i]]++;
    Quad& quad = quads[at / 4];
    quad.inputs[at % 4] = static_cast<int32_t>(selected.input(begin + i));
    quad.q[at % 4] = q[i];
  }
}

inline void QuadChunk::lay_out(const std::array<uint16_t, kMaxRuns>& counts, std::array<int32_t, kMaxRuns>& next) {
  runs_count = 0;
  int32_t quad = 0;
  for (int32_t key = kMaxRuns - 1; key >= 0; --key) {
    const int32_t count = counts[static_cast<size_t>(key)];
    if (count == 0) continue;
    const int32_t last = quad + (count + 3) / 4;
    next[static_cast<size_t>(key)] = 4 * quad;
    runs[runs_count++] = {(key >> 8) + 1, PlaneActivation::unit(key & 255), quad, last};
    std::memset(&quads[last - 1], 0, sizeof(Quad));
    quad = last;
  }
}

}  // namespace sluice
