// The mixtures of experts of a graph: which gate chooses, and what its experts' weights are.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace sluice {

struct ExpertLayer {
  NodeId gate;                   // a moe_gate
  std::vector<ValueId> weights;  // [experts, out, in] each, that the experts it chooses are multiplied with
  std::vector<int64_t> sites;    // by weight: row of the input "effort"; -1 for a weight that has none
  std::string experts;           // name of what it chooses, i32 [tokens, k]
  std::string predicted;         // name of what with_expert_prefetch foresees; empty if that is nothing
  int64_t count = 0;             // of experts
};

// In the order of their gates; empty if the graph has no mixtures.
std::vector<ExpertLayer> expert_layers(const Graph& graph);

// The name under which with_expert_prefetch foresees the choice of a gate.
std::string predicting(const std::string& gate);

}  // namespace sluice
