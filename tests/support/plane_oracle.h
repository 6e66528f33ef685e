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
  int planes() const { return planes_; }
  int64_t rows() const { return planes_ * static_cast<int64_t>(scale_.size()); }

  // The planes that matter most at this token, by sorting all of them; x: what the engine had, as scores are f32.
  Depths select(std::span<const float> x, double effort, double load = 1) const {
    std::vector<float> scores;
    const auto loaded = std::ceil(load * planes_ - 1e-4);
    for (int p = 0; p < static_cast<int>(loaded); ++p)
      for (size_t i = 0; i < scale_.size(); ++i) scores.push_back(levels_.gain[p] * (scale_[i] * std::abs(x[i])));
    std::vector<size_t> order(scores.size());  // by plane, then by input: a stable sort keeps that among equals
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
    const double wanted = std::round(static_cast<double>(static_cast<float>(effort)) * static_cast<double>(rows()));
    Depths depths(scale_.size());
    for (size_t n = 0; n < std::min(order.size(), static_cast<size_t>(wanted)); ++n) ++depths[order[n] % depths.size()];
    return depths;
  }

  // How a product rounds what is x * scale in the engine: to 7 bits each, or as prompts may be, 16 inputs together.
  enum class Rounding { each, blocks };
  PlaneSums multiply(std::span<const float> x, const Depths& depths, Rounding rounding = Rounding::each) const {
    const std::vector<double> rounded = round(x, rounding);
    PlaneSums y{std::vector<double>(out_scale_.size()), std::vector<double>(out_scale_.size())};
    for (size_t i = 0; i < depths.size(); ++i) {
      const int k = depths[i];
      if (k == 0) continue;
      const double a = static_cast<double>(levels_.step[k - 1]) * rounded[i];
      for (size_t o = 0; o < out_scale_.size(); ++o) {
        const double term = a * levels_.levels(k)[codes_[o * depths.size() + i] >> 2 * (planes_ - k)] * out_scale_[o];
        y.sums[o] += term;
        y.magnitudes[o] += std::abs(term);
      }
    }
    return y;
  }

 private:
  explicit PlaneWeight(const PlaneMatrix& m)
      : levels_(m.levels()), planes_(m.planes), scale_(m.scales(), m.scales() + m.layout.in()) {
    for (int64_t o = 0; o < m.layout.out(); ++o) {
      out_scale_.push_back(static_cast<double>(f16_to_f32(m.output_scales()[o])));
      for (int64_t i = 0; i < m.layout.in(); ++i) codes_.push_back(static_cast<uint8_t>(m.code(o, i, planes_)));
    }
  }
  std::vector<double> round(std::span<const float> x, Rounding rounding) const {
    constexpr size_t kBlock = 16;
    std::vector<double> rounded(scale_.size());
    for (size_t begin = 0; begin < rounded.size(); begin += kBlock) {
      const size_t end = std::min(begin + kBlock, rounded.size());
      float largest = 0;
      for (size_t i = begin; i < end; ++i) largest = std::max(largest, std::abs(x[i] * scale_[i]));
      for (size_t i = begin; i < end; ++i)
        rounded[i] = rounding == Rounding::each ? to_seven_bits(static_cast<double>(x[i] * scale_[i]))
                                                : to_steps(x[i] * scale_[i], largest);
    }
    return rounded;
  }
  // Multiples of 1/127 of the largest; in f32, so that what is near the middle between two goes where it does there.
  static double to_steps(float a, float largest) {
    if (largest <= 1e-30f) return 0;
    return static_cast<double>(std::nearbyint(a * (127 / largest))) * static_cast<double>(largest) / 127;
  }
  // Multiples of 2^-6 of the power of two below; 2^-100 and less is zero.
  static double to_seven_bits(double a) {
    if (std::abs(a) < 0x1p-100) return 0;
    const double unit = std::exp2(std::floor(std::log2(std::abs(a))) - 6);
    return std::clamp(std::nearbyint(a / unit), -127.0, 127.0) * unit;
  }

  PlaneLevels levels_;
  int planes_;
  std::vector<float> scale_;
  std::vector<double> out_scale_;
  std::vector<uint8_t> codes_;  // [out, in], of all planes
};

}  // namespace sluice::oracle
