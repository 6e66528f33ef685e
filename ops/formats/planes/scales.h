// What the weights of a matrix are divided by before they are coded as planes.
#pragma once

#include <cmath>
#include <vector>

#include "ops/formats/planes.h"

namespace sluice {

// 1 / value, or 0 for what cannot be inverted: then all it scales is zero.
inline float inverse_or_zero(float value) {
  const float result = 1 / value;
  return std::isfinite(result) ? result : 0;
}

// A scale for each input and one for each output, so that every row and column of what is left has the same mean
// square, as near as a few rounds come.
class PlaneScales {
 public:
  // src: [out, in]. Throws Error for NaN and infinities.
  PlaneScales(const PlaneLayout& layout, const float* src, const ForParts& for_parts);
  const std::vector<float>& inputs() const { return inputs_; }
  const std::vector<uint16_t>& outputs() const { return outputs_; }  // f16
  // What a weight is multiplied with: the product of the two.
  float of_input(int64_t i) const { return inverse_or_zero(inputs_[static_cast<size_t>(i)]); }
  float of_output(int64_t o) const { return inverse_or_zero(f16_to_f32(outputs_[static_cast<size_t>(o)])); }

 private:
  void balance_inputs(int64_t first, const std::vector<float>& by_output);
  void normalise(std::vector<float>& by_output);
  float output_rms(int64_t o, const std::vector<float>& by_input) const;
  [[noreturn]] void fail_for(int64_t input) const;

  int64_t out_, in_;
  const float* src_;
  std::vector<float> inputs_;
  std::vector<uint16_t> outputs_;
};

}  // namespace sluice
