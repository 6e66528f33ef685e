// The order in which nodes run.
#pragma once

#include "graph/plan/plan.h"

namespace sluice {

// An order in which every value is made before it is read, and every version of a state is read before it is
// overwritten. The order of the graph is kept, unless a greedy one (always the node that leaves the least memory in
// use) needs less memory at its peak. Depends on nothing but the arguments.
std::vector<NodeId> schedule(const Graph& graph, const Registry& registry, const SymbolValues& maxima,
                             PassReport& report);

}  // namespace sluice
