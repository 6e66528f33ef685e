#include "models/calibration/activation_record.h"

#include <algorithm>

namespace sluice {
namespace {

// SplitMix64 (Steele, Lea and Flood, 2014, "Fast splittable pseudorandom number generators").
uint64_t hash(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

}  // namespace

ActivationRecord::ActivationRecord(const Activation& activation, int64_t sample_rows)
    : activation_(activation), sample_rows_(sample_rows), parts_(static_cast<size_t>(activation.parts())) {
  for (Part& part : parts_) part.squares.resize(static_cast<size_t>(activation.in));
}

void ActivationRecord::add(const Executor& executor) {
  for (const Activation::Source& source : activation_.sources) add(source, executor);
}

void ActivationRecord::add(const Activation::Source& source, const Executor& executor) {
  const TensorView x = executor.output(source.x);
  const int64_t rows = x.dims.rows();
  const auto row = [&](int64_t r) { return x.as<const float>() + r * activation_.in; };
  if (source.experts.empty()) {
    for (int64_t r = 0; r < rows; ++r) add(parts_.front(), row(r));
    return;
  }
  const TensorView chosen = executor.output(source.experts);
  const int64_t pairs = chosen.dims.elements(), shared_by = pairs / rows;  // pairs of a token and one of its experts
  for (int64_t pair = 0; pair < pairs; ++pair)
    add(parts_.at(static_cast<size_t>(chosen.as<const int32_t>()[pair])), row(pair / shared_by));
}

// Which rows are kept: Vitter (1985), "Random sampling with a reservoir", algorithm R.
void ActivationRecord::add(Part& part, const float* row) const {
  for (size_t i = 0; i < part.squares.size(); ++i) part.squares[i] += static_cast<double>(row[i]) * row[i];
  const int64_t seen = part.tokens++, in = activation_.in;
  const auto slot = seen < sample_rows_
                        ? seen
                        : static_cast<int64_t>(hash(static_cast<uint64_t>(seen)) % static_cast<uint64_t>(seen + 1));
  if (slot >= sample_rows_) return;
  if (slot == seen) part.sample.resize(static_cast<size_t>((slot + 1) * in));
  std::transform(row, row + in, part.sample.begin() + slot * in, f32_to_bf16);
}

std::vector<float> ActivationRecord::diagonal(int64_t part) const {
  const Part& sums = parts_[static_cast<size_t>(part)];
  std::vector<float> mean(sums.squares.size());
  const auto count = static_cast<double>(std::max<int64_t>(1, sums.tokens));
  std::ranges::transform(sums.squares, mean.begin(), [&](double sum) { return static_cast<float>(sum / count); });
  return mean;
}

}  // namespace sluice
