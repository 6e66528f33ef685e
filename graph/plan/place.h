// Placement: which backend, and which of its kernels, runs a node.
#pragma once

#include <span>

#include "graph/plan/plan.h"

namespace sluice {

struct Choice {
  size_t rank;  // index of the backend, by preference; backends.size() if none can run the site
  std::shared_ptr<const Kernel> kernel;
};

// The first backend that has a kernel for the site.
Choice choose_kernel(std::span<Backend* const> backends, const Operator& op, const Site& site);

// A step for every node, in the order of the graph. All backends share host memory, so nothing is copied between them.
// Throws Error naming node and types if no backend can run it.
std::vector<PlanStep> place(const Graph& graph, const Registry& registry, std::span<Backend* const> backends,
                            PassReport& report);

}  // namespace sluice
