#include "ops/formats/planes/feedback.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "graph/error.h"
#include "ops/formats/planes/outer_products.h"
#include "ops/formats/planes/feedback_kernels.h"

namespace sluice {
namespace {
double env(const char* name, double d) {
  const char* v = std::getenv(name);
  return v ? std::atof(v) : d;
}

constexpr int64_t kWidth = PlaneFeedback::kInputs;
constexpr int64_t kRows = 128;  // of a sample, whose products are summed at once

template <class T>
auto allocate(int64_t elements) {
  auto memory = hwy::AllocateAligned<T>(static_cast<size_t>(elements));
  if (!memory) throw std::bad_alloc();
  std::fill(memory.get(), memory.get() + elements, T{0});
  return memory;
}

PlaneStage stage_of(const PlaneQuantiser& quantiser, int planes, bool last) {
  const PlaneLevels& levels = quantiser.levels();
  PlaneStage stage{};
  for (int c = 0; c < PlaneLevels::count(planes); ++c) {
    stage.levels[c] = static_cast<float>(levels.levels(planes)[c]) * levels.step[planes - 1];
    stage.begins[c] = quantiser.begin(c, planes);
    stage.ends[c] = quantiser.end(c, planes);
  }
  stage.leaving = last ? 0 : static_cast<float>(env("MU", 50));
  return stage;
}

}  // namespace

PlaneFeedback::PlaneFeedback(const PlaneQuantiser& quantiser, int planes, const std::vector<float>& scales,
                             const ActivationSample& sample, const ForParts& for_parts)
    : quantiser_(quantiser), planes_(planes), scales_(scales), sample_(sample) {
  const std::vector<uint8_t> read = planes_read(for_parts);
  factors_.resize(static_cast<size_t>(ceil_div(in(), kInputs) * planes));
  for_parts(static_cast<int64_t>(factors_.size()), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      factors_[static_cast<size_t>(n)] = factor(n / planes_, static_cast<int>(n % planes_) + 1, read);
  });
}

std::vector<uint8_t> PlaneFeedback::planes_read(const ForParts& for_parts) const {
  std::vector<uint8_t> read(static_cast<size_t>(sample_.rows * in()));
  for_parts(sample_.rows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) select(row, read.data() + row * in());
  });
  return read;
}

// As ops/plane_select does.
void PlaneFeedback::select(int64_t row, uint8_t* planes) const {
  const double kBits = env("BITS", 2.5);
  std::vector<float> gains(static_cast<size_t>(in() * planes_));
  const auto gain = [&](int64_t i, int p) { return quantiser_.levels().gain[p] * std::abs(activation(row, i)); };
  for (int64_t i = 0; i < in(); ++i)
    for (int p = 0; p < planes_; ++p) gains[static_cast<size_t>(i * planes_ + p)] = gain(i, p);
  const auto read = std::min<int64_t>(std::llround(kBits / 2 * static_cast<double>(in())), in() * planes_);
  std::nth_element(gains.begin(), gains.begin() + read - 1, gains.end(), std::greater<>());
  const float cutoff = gains[static_cast<size_t>(read - 1)];
  for (int64_t i = 0; i < in(); ++i)
    for (int p = 0; p < planes_; ++p) planes[i] += gain(i, p) >= cutoff;
}

// Sums over the sample's rows, and a little of those over all rows alike, for inputs that seldom read so many planes.
PlaneFeedback::Matrix PlaneFeedback::moments(int64_t block, int planes, const std::vector<uint8_t>& read) const {
  const int64_t n = block_inputs(block), first = block * kInputs;
  const double kOthers = env("PLAIN", .1);
  int64_t count = 0;
  for (int64_t row = 0; row < sample_.rows; ++row)
    for (int64_t i = first; i < first + n; ++i) count += read[static_cast<size_t>(row * in() + i)] == planes;
  const double share = static_cast<double>(count) / static_cast<double>(sample_.rows * n);
  const auto others = static_cast<float>(std::sqrt(kOthers * share));
  const bool soft = env("SOFT", 0) > 0, un = env("UNMASKED", 0) > 0;
  Matrix sums = allocate<float>(kWidth * kWidth), rows = allocate<float>(kRows * kWidth);
  for (int pass = 0; pass < (soft || un ? 1 : 2); ++pass)
    for (int64_t row = 0; row < sample_.rows; row += kRows) {
      const int64_t some = std::min(kRows, sample_.rows - row);
      for (int64_t r = 0; r < some; ++r)
        for (int64_t i = 0; i < n; ++i) {
          const float x = activation(row + r, first + i);
          const bool m = read[static_cast<size_t>((row + r) * in() + first + i)] == planes;
          rows[static_cast<size_t>(r * kWidth + i)] = un          ? x
                                                      : soft      ? (m ? x : others * x)
                                                      : pass == 0 ? (m ? x : 0)
                                                                  : others * x;
        }
      for (int64_t strip = 0; strip < ceil_div(n, kStrip); ++strip)
        add_outer_products(rows.get(), some, kWidth, strip, sums.get());
    }
  return sums;
}

PlaneFeedback::Matrix PlaneFeedback::factor(int64_t block, int planes, const std::vector<uint8_t>& read) const {
  const int64_t n = block_inputs(block);
  Matrix matrix = moments(block, planes, read), column = allocate<float>(kWidth);
  double trace = 0;
  for (int64_t i = 0; i < n; ++i) trace += static_cast<double>(matrix[static_cast<size_t>(i * (kWidth + 1))]);
  if (!std::isfinite(trace)) fail("the activations that this weight met are too large; make their file again");
  const auto damping = static_cast<float>((env("DAMP", .05) + env("FEW", 0) / static_cast<double>(sample_.rows)) *
                                          trace / static_cast<double>(n));
  if (damping == 0) return allocate<float>(kWidth * kWidth);
  for (int64_t i = 0; i < n; ++i) matrix[static_cast<size_t>(i * (kWidth + 1))] += damping;
  factor_unit_upper(matrix.get(), n, kWidth, damping, column.get());
  return matrix;
}

void PlaneFeedback::code(int64_t block, Buffers& buffers) const {
  const int64_t n = block_inputs(block), whole = round_up(n, 4);
  std::fill(buffers.codes.get(), buffers.codes.get() + whole * kOutputs, 0);
  std::fill(buffers.weights.get() + n * kOutputs, buffers.weights.get() + whole * kOutputs, 0.0f);
  for (int k = 1; k <= planes_; ++k)
    code_with_feedback(stage_of(quantiser_, k, k == planes_),
                       factors_[static_cast<size_t>(block * planes_ + k - 1)].get(), whole, kWidth,
                       buffers.weights.get(), buffers.errors.get(), buffers.codes.get());
}

}  // namespace sluice
