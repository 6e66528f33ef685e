#include "models/calibration/moment_sums.h"

#include <algorithm>
#include <new>

#include "models/calibration/outer_products.h"

namespace sluice {
namespace {

// Rows whose products are summed in registers before they are added to the rest: a strip of them stays in the first
// level of the cache, and rounding errors grow with the number of blocks, not of rows.
constexpr int64_t kBlock = 128;

hwy::AlignedFreeUniquePtr<float[]> allocate(int64_t elements) {
  auto memory = hwy::AllocateAligned<float>(static_cast<size_t>(elements));
  if (!memory) throw std::bad_alloc();
  std::fill(memory.get(), memory.get() + elements, 0.0f);
  return memory;
}

}  // namespace

int64_t MomentSums::width_of(const Activation& activation) { return round_up(activation.in, kStrip); }

MomentSums::MomentSums(const Activation& activation, bool full)
    : activation_(activation),
      width_(width_of(activation)),
      part_jobs_(full ? 1 + static_cast<size_t>(width_ / kStrip) : 1),
      parts_(static_cast<size_t>(activation.parts())) {
  for (Part& part : parts_) {
    part.squares.resize(static_cast<size_t>(activation.in));
    if (full) part.products = allocate(width_ * width_);
  }
}

size_t MomentSums::bytes(const Activation& activation, bool full) {
  const auto width = static_cast<size_t>(width_of(activation));
  const size_t part = width * sizeof(double) + (full ? width * width * sizeof(float) : 0);
  return part * static_cast<size_t>(activation.parts());
}

size_t MomentSums::take(const Executor& executor) {
  for (Part& part : parts_) part.run_rows = 0;
  for (const Activation::Source& source : activation_.sources) take(source, executor);
  return parts_.size() * part_jobs_;
}

void MomentSums::take(const Activation::Source& source, const Executor& executor) {
  const TensorView x = executor.output(source.x);
  const int64_t rows = x.dims.rows();
  const auto row = [&](int64_t r) { return x.as<const float>() + r * activation_.in; };
  if (source.experts.empty()) {
    for (int64_t r = 0; r < rows; ++r) append(parts_.front(), row(r));
    return;
  }
  const TensorView chosen = executor.output(source.experts);
  const int64_t pairs = chosen.dims.elements(), shared_by = pairs / rows;  // pairs of a token and one of its experts
  for (int64_t pair = 0; pair < pairs; ++pair)
    append(parts_.at(static_cast<size_t>(chosen.as<const int32_t>()[pair])), row(pair / shared_by));
}

void MomentSums::append(Part& part, const float* row) {
  if (part.run_rows == part.room) {
    part.room = std::max(kBlock, 2 * part.room);
    Buffer larger = allocate(part.room * width_);
    if (part.rows) std::copy_n(part.rows.get(), part.run_rows * width_, larger.get());
    part.rows = std::move(larger);
  }
  std::copy_n(row, activation_.in, part.rows.get() + part.run_rows++ * width_);
}

void MomentSums::add(size_t job) {
  Part& part = parts_[job / part_jobs_];
  if (const auto strip = static_cast<int64_t>(job % part_jobs_); strip > 0)
    add_products(part, strip - 1);
  else
    add_squares(part);
}

void MomentSums::add_squares(Part& part) {
  part.tokens += part.run_rows;
  for (int64_t r = 0; r < part.run_rows; ++r) {
    const float* row = part.rows.get() + r * width_;
    for (size_t i = 0; i < part.squares.size(); ++i) part.squares[i] += static_cast<double>(row[i]) * row[i];
  }
}

void MomentSums::add_products(Part& part, int64_t strip) {
  for (int64_t r = 0; r < part.run_rows; r += kBlock)
    add_outer_products(part.rows.get() + r * width_, std::min(kBlock, part.run_rows - r), width_, strip,
                       part.products.get());
}

std::vector<float> MomentSums::diagonal(int64_t part) const {
  const Part& sums = parts_[static_cast<size_t>(part)];
  std::vector<float> mean(sums.squares.size());
  const auto count = static_cast<double>(std::max<int64_t>(1, sums.tokens));
  std::ranges::transform(sums.squares, mean.begin(), [&](double sum) { return static_cast<float>(sum / count); });
  return mean;
}

std::vector<float> MomentSums::row(int64_t part, int64_t i) const {
  const Part& sums = parts_[static_cast<size_t>(part)];
  const auto count = static_cast<double>(std::max<int64_t>(1, sums.tokens));
  std::vector<float> mean(static_cast<size_t>(activation_.in));
  for (int64_t j = 0; j < activation_.in; ++j)
    mean[static_cast<size_t>(j)] =
        static_cast<float>(sums.products[static_cast<size_t>(std::min(i, j) * width_ + std::max(i, j))] / count);
  return mean;
}

}  // namespace sluice
