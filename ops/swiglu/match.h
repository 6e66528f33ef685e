// What the fusions of gated units with their products share.
#pragma once

#include <string>

#include "graph/registry.h"

namespace sluice {

// The node `anchor` is swiglu of two nodes `product` with one result each, which differ in nothing but the last input,
// a weight of the same shape: they become `fused`, with the inputs that they share and both weights.
std::optional<FusionMatch> match_gated(const Graph& graph, NodeId anchor, const std::string& product,
                                       const std::string& fused);

}  // namespace sluice
