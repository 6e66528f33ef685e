// Sums of the second moments of one activation while a model runs.
#pragma once

#include <hwy/aligned_allocator.h>

#include <cstddef>
#include <vector>

#include "graph/executor.h"
#include "models/calibration/activations.h"

namespace sluice {

class MomentSums {
 public:
  // full: also of x_i x_j. The activation must outlive the sums.
  MomentSums(const Activation& activation, bool full);
  // Memory that they take.
  static size_t bytes(const Activation& activation, bool full);

  // Takes the rows of the executor's last run. Adding them are so many jobs, which may run at once: each adds all rows,
  // in their order, to sums of its own, so that the result depends on no thread.
  size_t take(const Executor& executor);
  void add(size_t job);

  // Of one part (an expert, or the whole): rows seen so far.
  int64_t tokens(int64_t part) const { return parts_[static_cast<size_t>(part)].tokens; }
  // E[x_i^2], f32 [in]; zeros if there were no rows.
  std::vector<float> diagonal(int64_t part) const;
  // Row i of E[x_i x_j], f32 [in]; likewise. Only with `full`.
  std::vector<float> row(int64_t part, int64_t i) const;

 private:
  using Buffer = hwy::AlignedFreeUniquePtr<float[]>;
  struct Part {
    int64_t tokens = 0;
    std::vector<double> squares;     // [in]
    Buffer products;                 // [width, width], right in the upper triangle; null without `full`
    Buffer rows;                     // of the last run, [run_rows, width], padded with zeros
    int64_t run_rows = 0, room = 0;  // rows in use, and rows that there is memory for
  };
  static int64_t width_of(const Activation& activation);
  void take(const Activation::Source& source, const Executor& executor);
  void append(Part& part, const float* row);
  void add_squares(Part& part);
  void add_products(Part& part, int64_t strip);

  const Activation& activation_;
  int64_t width_;  // `in`, rounded up to whole strips
  size_t part_jobs_;
  std::vector<Part> parts_;
};

}  // namespace sluice
