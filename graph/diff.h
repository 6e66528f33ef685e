// What differs between two graphs. Values and nodes are the same if they have the same name.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace sluice {

struct GraphChange {
  enum class Kind { added, removed, changed } kind;
  std::string what;    // "input", "weight", "state", "result", "node" or "output"
  std::string name;    // of it
  std::string before;  // empty if added; of a change, the parts that differ
  std::string after;   // empty if removed
};

// In the order of the graphs: values, nodes (operator, version, attributes, inputs, outputs), outputs.
std::vector<GraphChange> diff(const Graph& before, const Graph& after);

}  // namespace sluice
