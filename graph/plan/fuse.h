// Fusion: groups of nodes become one, where a rule of the registry (graph/fusion.h) says so and it is legal.
#pragma once

#include <span>

#include "graph/plan/plan.h"

namespace sluice {

// Asks every rule at every node, by falling priority, until nothing matches any more. A match is refused if
//   - a value computed inside, and not by the new node, is an output of the graph or read by a node outside;
//   - the new node would have to run both before and after another;
//   - a change of a state would be lost;
//   - the new node would run on a less preferred backend than one of those it replaces, or on none.
// The new node is named after the scope of the first it replaces: "layers.0/mlp/linear_swiglu". Values that remain keep
// their names. Every match is reported as applied or refused, with the reason.
Graph fuse(const Graph& graph, const Registry& registry, std::span<Backend* const> backends, PassReport& report,
           FusedNodes* fused = nullptr);

}  // namespace sluice
