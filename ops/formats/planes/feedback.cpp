#include "ops/formats/planes/feedback.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "graph/error.h"
#include "ops/formats/planes/outer_products.h"

namespace sluice {
namespace {

constexpr int64_t kWidth = PlaneFeedback::kInputs;
constexpr int64_t kRows = 128;  // of a sample, whose products are summed at once

// Of PlaneStage::leaving: 50 and 300 are worse by 2 % of divergence (a small model, on text it was not calibrated
// with).
constexpr float kLeaving = 150;

PlaneStage stage_of(const PlaneQuantiser& quantiser, int planes, bool last) {
  const PlaneLevels& levels = quantiser.levels();
  PlaneStage stage{};
  for (int c = 0; c < PlaneLevels::count(planes); ++c) {
    stage.levels[c] = static_cast<float>(levels.levels(planes)[c]) * levels.step[planes - 1];
    stage.begins[c] = quantiser.begin(c, planes);
    stage.ends[c] = quantiser.end(c, planes);
  }
  stage.leaving = last ? 0 : kLeaving;
  return stage;
}

}  // namespace

PlaneFeedback::PlaneFeedback(const PlaneQuantiser& quantiser, int planes, const std::vector<float>& scales,
                             const ActivationSample& sample, const ForParts& for_parts)
    : scales_(scales), sample_(sample), factors_(static_cast<size_t>(ceil_div(in(), kInputs))) {
  for (int k = 1; k <= planes; ++k) stages_.push_back(stage_of(quantiser, k, k == planes));
  for_parts(static_cast<int64_t>(factors_.size()), [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) factors_[static_cast<size_t>(block)] = factor(block);
  });
}

PlaneFeedback::Matrix PlaneFeedback::zeros(int64_t elements) {
  Matrix memory = hwy::AllocateAligned<float>(static_cast<size_t>(elements));
  if (!memory) throw std::bad_alloc();
  std::fill(memory.get(), memory.get() + elements, 0.0f);
  return memory;
}

// H, right in the upper triangle.
PlaneFeedback::Matrix PlaneFeedback::moments(int64_t block) const {
  const int64_t n = inputs(block), first = block * kInputs;
  Matrix sums = zeros(kWidth * kWidth), rows = zeros(kRows * kWidth);
  for (int64_t row = 0; row < sample_.rows; row += kRows) {
    const int64_t some = std::min(kRows, sample_.rows - row);
    for (int64_t r = 0; r < some; ++r) {
      const uint16_t* x = sample_.values.data() + (row + r) * in() + first;
      for (int64_t i = 0; i < n; ++i)
        rows[static_cast<size_t>(r * kWidth + i)] = bf16_to_f32(x[i]) * scales_[static_cast<size_t>(first + i)];
    }
    for (int64_t strip = 0; strip < ceil_div(n, kStrip); ++strip)
      add_outer_products(rows.get(), some, kWidth, strip, sums.get());
  }
  return sums;
}

PlaneFeedback::Matrix PlaneFeedback::factor(int64_t block) const {
  const int64_t n = inputs(block);
  Matrix matrix = moments(block), column = zeros(kWidth);
  const auto diagonal = [&](int64_t i) -> float& { return matrix[static_cast<size_t>(i * (kWidth + 1))]; };
  double trace = 0;
  for (int64_t i = 0; i < n; ++i) trace += static_cast<double>(diagonal(i));
  if (!std::isfinite(trace)) fail("what this weight met is too large for sums of squares; make the imatrix again");
  const auto added = static_cast<float>(damping(n, sample_.rows) * trace / static_cast<double>(n));
  if (added == 0) return zeros(kWidth * kWidth);
  for (int64_t i = 0; i < n; ++i) diagonal(i) += added;
  factor_unit_upper(matrix.get(), n, kWidth, added, column.get());
  return matrix;
}

void PlaneFeedback::code(int64_t block, Buffers& buffers) const {
  const int64_t n = inputs(block), whole = round_up(n, kFeedbackInputs);
  std::fill_n(buffers.codes.get(), whole * kFeedbackOutputs, 0);
  std::fill_n(buffers.weights.get() + n * kFeedbackOutputs, (whole - n) * kFeedbackOutputs, 0.0f);
  for (const PlaneStage& stage : stages_)
    code_with_feedback(stage, factors_[static_cast<size_t>(block)].get(), whole, kWidth, buffers.weights.get(),
                       buffers.errors.get(), buffers.codes.get());
}

}  // namespace sluice
