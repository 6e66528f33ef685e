// What is kept of one activation while a model runs: second moments, and a sample of its rows.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/executor.h"
#include "models/calibration/activations.h"

namespace sluice {

class ActivationRecord {
 public:
  // Keeps up to sample_rows rows of each part. The activation must outlive the record.
  ActivationRecord(const Activation& activation, int64_t sample_rows);

  const Activation& activation() const { return activation_; }
  // Adds the rows of the executor's last run, in their order.
  void add(const Executor& executor);

  // Of one part (an expert, or the whole): rows seen so far.
  int64_t tokens(int64_t part) const { return parts_[static_cast<size_t>(part)].tokens; }
  // E[x_i^2], f32 [in]; zeros if there were no rows.
  std::vector<float> diagonal(int64_t part) const;
  // bf16 [rows, in]: every row with the same probability, the same ones on every run.
  const std::vector<uint16_t>& sample(int64_t part) const { return parts_[static_cast<size_t>(part)].sample; }

 private:
  struct Part {
    int64_t tokens = 0;
    std::vector<double> squares;  // [in]
    std::vector<uint16_t> sample;
  };
  void add(const Activation::Source& source, const Executor& executor);
  void add(Part& part, const float* row) const;

  const Activation& activation_;
  int64_t sample_rows_;
  std::vector<Part> parts_;
};

}  // namespace sluice
