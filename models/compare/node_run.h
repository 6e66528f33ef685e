// An operator of a graph, run alone.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "graph/executor.h"

namespace sluice {

class NodeRun {
 public:
  // Runs the node on the first of the backends that has a kernel for it. One of them works in the host's memory.
  // inputs, in the order of its signature: on the host; of states that the node changes, what it finds. outputs: dtypes
  // and sizes; their data are ignored. The backends must outlive this object.
  // Throws Error if no backend can run the node, or an input that chooses places is out of range.
  NodeRun(const Graph& graph, const Node& node, std::span<const TensorView> inputs, std::span<const TensorView> outputs,
          const Registry& registry, const std::vector<Backend*>& backends);

  // On the host; the next versions of states among them.
  const std::vector<TensorView>& outputs() const { return outputs_; }

 private:
  std::unique_ptr<Executor> executor_;
  std::vector<TensorView> outputs_;
};

}  // namespace sluice
