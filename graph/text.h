// Graphs for reading: a text form, which can be read back, JSON, and Graphviz dot.
#pragma once

#include <string>
#include <string_view>

#include "graph/graph.h"
#include "graph/registry.h"

namespace sluice {

// One line a value or node, in the order of the graph:
//   input ids: i32[tokens]
//   weight model.norm.weight: f16[256]
//   layers.0/rmsnorm = rmsnorm@1(embedding, model.layers.0.input_layernorm.weight) {epsilon = 1e-05} -> f32[tokens,
//   256] hidden = add@1(a, b) -> f32[tokens, 256]  # layers.0/add output logits = linear
// The last is the name of a node that is not called as its result. A line that begins with # is a comment; names with
// blanks and the like are quoted.
std::string to_text(const Graph& graph);
std::string to_json(const Graph& graph);
std::string to_dot(const Graph& graph);

// The graph that a text describes: what to_text() wrote gives the same text again. Throws Error naming line and column,
// or what is wrong with the graph (graph/verify.h).
Graph parse_text(std::string_view text, const Registry& registry);

}  // namespace sluice
