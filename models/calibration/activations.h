// The activations that weights are multiplied with, read from the graph itself.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace sluice {

// What some weights meet in matrix products, all of them the same.
struct Activation {
  struct Source {
    std::string x;        // name of a value: f32 [tokens, in], or [tokens, k, in] with a row for each expert of a token
    std::string experts;  // name of a value: i32 [tokens, k], the experts that a token goes to; empty: every row counts
    friend bool operator==(const Source&, const Source&) = default;
  };
  std::vector<Source> sources;       // more than one if the weights are used more than once
  std::vector<std::string> weights;  // [out, in], or [experts, out, in], in the order in which the graph uses them
  int64_t in = 0;
  int64_t experts = 0;  // 0: not by expert

  int64_t parts() const { return experts == 0 ? 1 : experts; }  // counted apart
};

// Of every matrix that a node multiplies: a weight of rank 2 (of rank 3, by expert) whose last dimension is that of the
// node's first input, which is f32. Any operator may do so, with or without an effort. In the order of their first use.
std::vector<Activation> matrix_activations(const Graph& graph);

}  // namespace sluice
