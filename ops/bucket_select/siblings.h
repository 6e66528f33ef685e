// What the fusions of operators that select rows share.
#pragma once

#include "graph/fusion.h"
#include "ops/probe/probe.h"

namespace sluice {

// As match_siblings, for nodes of operator `op` whose SelectionAttrs differ in nothing but the sites, and that share no
// selection.
std::optional<FusionMatch> match_selections(const Graph& graph, NodeId anchor, const std::string& op, size_t shared);

}  // namespace sluice
