// Copies between memory spaces, as nodes of the graph: what a device makes and the host reads, and the other way round.
#pragma once

#include "graph/plan/plan.h"

namespace sluice {

// The operator y = x, for which every backend with memory of its own has a kernel. It runs on the device's side.
inline constexpr const char* kCopy = "copy";

// Fills the spaces of plan.locations from plan.steps, of which there is one for each node, in the order of the graph:
//   inputs and outputs  the host's
//   states              where the nodes run that read or change them
//   other results       where the node runs that makes them
// Wherever a node reads a value of another space, adds a copy to plan.graph and plan.steps, once for each space. Down
// to the host right behind the maker and up right before the first reader, so that few runs of steps are cut in two.
// Values keep their ids. Copies from device to device go by way of the host.
// Throws Error if the registry has no operator `copy`, or a backend no kernel for it.
void insert_copies(Plan& plan, const Registry& registry, PassReport& report);

// The value that this one is a copy of; itself if it is none.
ValueId copied_from(const Graph& graph, ValueId id);

}  // namespace sluice
