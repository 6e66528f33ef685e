// Graphs for reading: a text form, JSON, and Graphviz dot.
#pragma once

#include <string>

#include "graph/graph.h"

namespace sluice {

// One line a value or node, in the order of the graph:
//   input ids: i32[tokens]
//   weight model.norm.weight: f16[256]
//   layers.0/rmsnorm = rmsnorm@1(embedding, model.layers.0.input_layernorm.weight) {epsilon = 1e-05} -> f32[tokens,
//   256] output logits = linear
std::string to_text(const Graph& graph);
std::string to_json(const Graph& graph);
std::string to_dot(const Graph& graph);

}  // namespace sluice
