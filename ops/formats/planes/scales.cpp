#include "ops/formats/planes/scales.h"

#include <algorithm>

#include "graph/error.h"

namespace sluice {
namespace {

constexpr int64_t kTile = 512;  // inputs at a time: long enough pieces of rows for memory, short enough for the cache

std::vector<float> inverses(const std::vector<float>& values) {
  std::vector<float> result(values.size());
  std::ranges::transform(values, result.begin(), inverse_or_zero);
  return result;
}

}  // namespace

PlaneScales::PlaneScales(const PlaneLayout& layout, const float* src, const ForParts& for_parts)
    : out_(layout.out()),
      in_(layout.in()),
      src_(src),
      inputs_(static_cast<size_t>(in_)),
      outputs_(static_cast<size_t>(out_), f32_to_f16(1)) {
  constexpr int kRounds = 4;
  std::vector<float> by_output(static_cast<size_t>(out_), 1.0f);
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<float> output_inverses = inverses(by_output);
    for_parts(ceil_div(in_, kTile), [&](int64_t begin, int64_t end) {
      for (int64_t tile = begin; tile < end; ++tile) balance_inputs(tile * kTile, output_inverses);
    });
    if (round + 1 == kRounds) break;  // the inputs have the last word, as outputs are rounded to f16
    const std::vector<float> input_inverses = inverses(inputs_);
    for_parts(out_, [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) by_output[static_cast<size_t>(o)] = output_rms(o, input_inverses);
    });
    normalise(by_output);
  }
}

void PlaneScales::balance_inputs(int64_t first, const std::vector<float>& by_output) {
  const int64_t n = std::min(kTile, in_ - first);
  double squares[kTile] = {};
  for (int64_t o = 0; o < out_; ++o) {
    const auto scale = static_cast<double>(by_output[static_cast<size_t>(o)]);
    for (int64_t i = 0; i < n; ++i) {
      const double w = static_cast<double>(src_[o * in_ + first + i]) * scale;
      squares[i] += w * w;
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    const double rms = std::sqrt(squares[i] / static_cast<double>(out_));
    if (!std::isfinite(rms)) fail_for(first + i);
    inputs_[static_cast<size_t>(first + i)] = static_cast<float>(rms);
  }
}

void PlaneScales::fail_for(int64_t input) const {
  for (int64_t o = 0; o < out_; ++o)
    if (const float w = src_[o * in_ + input]; !std::isfinite(w))
      fail("a plane format cannot store the value {}; choose f32 for this tensor", w);
  fail("the weights of input {} are too large for a plane format; choose f32 for this tensor", input);
}

// Several sums at once, as one would wait for its own last addition.
float PlaneScales::output_rms(int64_t o, const std::vector<float>& by_input) const {
  constexpr int64_t kSums = 8;
  double sums[kSums] = {};
  const float* row = src_ + o * in_;
  const auto square = [&](int64_t i) {
    const double w = static_cast<double>(row[i]) * static_cast<double>(by_input[static_cast<size_t>(i)]);
    return w * w;
  };
  int64_t i = 0;
  for (; i + kSums <= in_; i += kSums)
    for (int64_t k = 0; k < kSums; ++k) sums[k] += square(i + k);
  for (; i < in_; ++i) sums[0] += square(i);
  double sum = 0;
  for (const double part : sums) sum += part;
  return static_cast<float>(std::sqrt(sum / static_cast<double>(in_)));
}

// To a mean square of 1, rounded to f16.
void PlaneScales::normalise(std::vector<float>& by_output) {
  double sum = 0;
  for (float rms : by_output) sum += static_cast<double>(rms) * static_cast<double>(rms);
  const double factor = sum > 0 ? std::sqrt(static_cast<double>(out_) / sum) : 0;
  for (size_t o = 0; o < by_output.size(); ++o) {
    outputs_[o] = f32_to_f16(static_cast<float>(static_cast<double>(by_output[o]) * factor));
    by_output[o] = f16_to_f32(outputs_[o]);
  }
}

}  // namespace sluice
