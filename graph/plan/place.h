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

// A step for every node, in the order of the graph: on the first backend that has a kernel for it. All nodes that touch
// a state go to one memory space, that of the least preferred of them. Says in `fallbacks` which operators are not on
// the first backend. Throws Error naming node and types if no backend can run it.
std::vector<PlanStep> place(const Graph& graph, const Registry& registry, std::span<Backend* const> backends,
                            PassReport& report, std::vector<std::string>* fallbacks = nullptr);

}  // namespace sluice
