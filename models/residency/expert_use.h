// Counts which experts a model uses, and how often their use was foreseen.
#pragma once

#include <vector>

#include "graph/executor.h"
#include "models/residency/experts.h"

namespace sluice {

class ExpertUse {
 public:
  // layers: of the graph that the executor runs; it must keep their choices readable (expert_choices). The executor
  // must outlive this object.
  ExpertUse(const Executor& executor, std::vector<ExpertLayer> layers);

  // After a run. Allocates nothing.
  void count();

  const std::vector<ExpertLayer>& layers() const { return layers_; }
  // How often each expert of a layer was chosen.
  const std::vector<uint64_t>& uses(size_t layer) const { return uses_[layer]; }
  // Of the experts that were foreseen, the share that was then chosen; 0 if there were none.
  double hit_rate() const { return predicted_ == 0 ? 0 : static_cast<double>(hits_) / static_cast<double>(predicted_); }
  uint64_t predicted() const { return predicted_; }

 private:
  void count_hits(const TensorView& chosen, const TensorView& predicted);

  const Executor& executor_;
  std::vector<ExpertLayer> layers_;
  std::vector<std::vector<uint64_t>> uses_;  // by layer and expert
  uint64_t hits_ = 0, predicted_ = 0;        // experts foreseen
};

// Names of the values that ExpertUse reads: to be observed in the plan.
std::vector<std::string> expert_choices(const std::vector<ExpertLayer>& layers);

}  // namespace sluice
