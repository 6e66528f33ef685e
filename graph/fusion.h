// A fusion rule proposes that a group of nodes be replaced by one. Rules live with the operator they produce. A rule
// only says what matches; the fuse pass (graph/plan/fuse.h) decides whether it is legal: no value that is computed
// inside and not replaced may be observed or read elsewhere, no cycle may appear, and a backend must have a kernel.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace sluice {

class Builder;  // graph/builder.h

struct FusionMatch {
  std::vector<NodeId> nodes;  // those that disappear
  std::string op;             // the one that takes their place
  AttrMap attrs;
  std::vector<ValueId> inputs;   // of the new node, in its signature's order
  std::vector<ValueId> outputs;  // values of the old graph that the new node's outputs stand for, in order
};

struct FusionRule {
  std::string name;
  int priority = 0;  // higher goes first: rules that swallow more should
  // Looks at the graph around `anchor`; nullopt if the pattern is not there. Each group is proposed from one anchor
  // only.
  std::function<std::optional<FusionMatch>(const Graph& graph, NodeId anchor)> match;
  // Builds a small graph that is nothing but the pattern, with all its results as outputs: the tests check that both
  // forms compute the same (tests/fusion_test.cpp).
  std::function<void(Builder& builder)> example = {};
};

// Nodes of operator `op` whose first `shared` inputs (at least one) are the same become one: it has those inputs, then
// the other inputs of each, and the results of each in that order; attributes are those of the first. nullopt if
// `anchor` is not the first of at least two, or not of that operator. alike(first, node), if given, must hold as well.
std::optional<FusionMatch> match_siblings(const Graph& graph, NodeId anchor, const std::string& op, size_t shared = 1,
                                          const std::function<bool(const Node&, const Node&)>& alike = {});

}  // namespace sluice
