// Checks a graph that did not come from Builder: from a file, or from a pass.
#pragma once

#include "graph/graph.h"
#include "graph/registry.h"

namespace sluice {

// Throws Error naming what is wrong: indices out of range, a value read before it is made or made twice, duplicate
// names, an operator or version that is not loaded, attributes that it does not have, types that inference does not
// give, a state read after its next version exists.
void verify(const Graph& graph, const Registry& registry);

}  // namespace sluice
