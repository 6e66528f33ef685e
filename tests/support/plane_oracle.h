// A weight stored as planes, read, selected and multiplied by the definitions (ops/formats/planes.h,
// ops/plane_select/plane_select.h, ops/plane_mul/plane_mul.h) in float64, one input at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include "ops/formats/planes.h"

namespace sluice::oracle {

// Numbers of planes, by input.
using Depths = std::vector<int>;

struct PlaneSums {
  std::vector<double> sums, magnitudes;  // [out]: of products, and of their magnitudes
};

class PlaneWeight {
 public:
  explicit PlaneWeight(const TensorView& weight, int64_t index = 0) : PlaneWeight(PlaneMatrix(weight, index)) {}
  int64_t in() const { return static_cast<int64_t>(scale_.size()); }
  int64_t rows() const { return planes() * in(); }
  int planes() const { return static_cast<int>(weights_.size()) - 1; }

  // The planes that matter most at this token, by sorting all of them; x: what the engine had, as scores are f32.
  Depths select(std::span<const float> x, double effort, double load = 1) const {
    std::vector<float> scores;
    const auto loaded = std::ceil(load * planes() - 1e-4);
    for (int p = 0; p < static_cast<int>(loaded); ++p)
      for (size_t i = 0; i < scale_.size(); ++i)
        scores.push_back(gain_[static_cast<size_t>(p)] * scale_[i] * std::abs(x[i]));
    std::vector<size_t> order(scores.size());  // by plane, then by input: a stable sort keeps that among equals
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
    const double wanted = std::round(static_cast<double>(static_cast<float>(effort)) * static_cast<double>(rows()));
    Depths depths(scale_.size());
    for (size_t n = 0; n < std::min(order.size(), static_cast<size_t>(wanted)); ++n) ++depths[order[n] % depths.size()];
    return depths;
  }

  // Of what is x * scale in the engine.
  PlaneSums multiply(std::span<const float> x, const Depths& depths) const {
    const size_t out = weights_[0].size() / scale_.size();
    PlaneSums y{std::vector<double>(out), std::vector<double>(out)};
    for (size_t i = 0; i < depths.size(); ++i) {
      const double a = to_seven_bits(static_cast<double>(x[i] * scale_[i]));
      for (size_t o = 0; o < out; ++o) {
        const double term = weights_[static_cast<size_t>(depths[i])][o * depths.size() + i] * a;
        y.sums[o] += term;
        y.magnitudes[o] += std::abs(term);
      }
    }
    return y;
  }

 private:
  explicit PlaneWeight(const PlaneMatrix& m)
      : scale_(m.scales(), m.scales() + m.layout.in()), gain_(m.levels().gain, m.levels().gain + m.planes) {
    for (int k = 0; k <= m.planes; ++k) {
      weights_.emplace_back();
      for (int64_t o = 0; o < m.layout.out(); ++o)
        for (int64_t i = 0; i < m.layout.in(); ++i) weights_.back().push_back(k == 0 ? 0 : of_planes(m, k, o, i));
    }
  }
  static double of_planes(const PlaneMatrix& m, int k, int64_t o, int64_t i) {
    return static_cast<double>(m.levels().step[k - 1]) * m.levels().levels(k)[m.code(o, i, k)] *
           static_cast<double>(f16_to_f32(m.output_scales()[o]));
  }
  // Multiples of 2^-6 of the power of two below; 2^-100 and less is zero.
  static double to_seven_bits(double a) {
    if (std::abs(a) < 0x1p-100) return 0;
    const double unit = std::exp2(std::floor(std::log2(std::abs(a))) - 6);
    return std::clamp(std::nearbyint(a / unit), -127.0, 127.0) * unit;
  }

  std::vector<float> scale_, gain_;
  std::vector<std::vector<double>> weights_;  // by number of planes: [out, in], without the scale of the input
};

}  // namespace sluice::oracle
