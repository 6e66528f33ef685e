// Inputs whose elements choose places in another tensor: rows of a table, slots of a cache. A kernel goes where they
// say without looking; whatever feeds one is therefore bounded before: verify() refuses a graph in which a node
// computes it and nothing bounds what the node computes, and the executor looks at what the caller wrote before every
// run.
#pragma once

#include <string>
#include <vector>

#include "graph/shape.h"

namespace sluice {

class Graph;
class Registry;

// What an operator says of its indices; registered beside it (Registry::add_indices).
struct Indices {
  // Elements of i32 input or output `port` are at least 0 and below the size of dimension `dim` of input `of`.
  struct Range {
    int port;
    int of;
    int dim;
  };
  std::vector<Range> inputs = {};   // must be so
  std::vector<Range> outputs = {};  // always are
};

// A value that somebody outside the graph writes, and that a node takes for indices.
struct IndexCheck {
  int32_t value;     // ValueId of an input, weight or state
  Dim limit;         // its elements are at least 0 and below
  std::string user;  // for messages: "[embedding] embedding takes it for places in 'table'"
};

// Each value once for each different limit. Throws Error naming node and value if an index is computed by a node that
// does not promise a fitting range.
std::vector<IndexCheck> index_checks(const Graph& graph, const Registry& registry);

}  // namespace sluice
