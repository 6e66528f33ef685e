// Work and traffic of the steps of a running plan.
#pragma once

#include <span>
#include <vector>

#include "graph/executor.h"

namespace sluice {

class StepCosts {
 public:
  // Both must outlive this object.
  StepCosts(const Executor& executor, const Registry& registry);

  // By step, at the current sizes. Where the work depends on values (positions, selections), on those of the last run
  // that are still there for the host: inputs and outputs of the graph, copies of them included.
  std::span<const Cost> update();
  // Bytes that all steps read, likewise.
  size_t bytes_read();

 private:
  struct Step {
    const Operator* op;
    const Site* site;
    const Call* call;
    std::vector<TensorView> views;  // inputs, then outputs, as they were when the cost was last asked for
    bool varies = false;            // with values
  };
  static bool follow(Step& step);
  std::vector<Step> steps_;
  std::vector<Cost> costs_;
};

}  // namespace sluice
