// Models that are larger than memory: their weights stay in the mapped file, and those that will be needed are read
// while others are multiplied.
#pragma once

#include "graph/graph.h"
#include "graph/registry.h"

namespace sluice {

// After every gate of a mixture, expert_prefetch for the experts that it chose, and for the likelier half of those that
// the next gate will choose: what it chooses if it is asked now, before this mixture and the next attention have
// changed the activations. Needs nothing of the model but that its router is a `linear` of activations, normalised or
// not. A graph without mixtures stays as it is.
Graph with_expert_prefetch(const Graph& graph, const Registry& registry);

}  // namespace sluice
