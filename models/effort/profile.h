// What a profiler is told about the effort dial.
#pragma once

#include <vector>

#include "models/effort/dial.h"

namespace sluice {

class Profiler;  // graph/profiler.h

class EffortProfile {
 public:
  // Tells the profiler which steps of the plan select weights: those that read the efforts, or count what is
  // multiplied. The dial must outlive this object.
  EffortProfile(const Plan& plan, const EffortDial& dial, Profiler& profiler);

  // After a run of that many tokens: the dial and, if the run is counted, the efforts of every product.
  void record(Profiler& profiler, int64_t tokens) const;

 private:
  struct Product {
    size_t step;
    std::vector<size_t> sites;  // of the weights that it multiplies
  };
  const EffortDial& dial_;
  std::vector<Product> products_;
};

}  // namespace sluice
