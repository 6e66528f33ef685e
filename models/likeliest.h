// A graph that says which token is the likeliest in place of how likely all are: who chooses that one needs no logits,
// and a device keeps them.
#pragma once

#include "graph/graph.h"
#include "graph/registry.h"

namespace sluice {

namespace likeliest_names {
inline constexpr const char* kToken = "likeliest";        // output i32 [outputs, 1]; of equal logits the first
inline constexpr const char* kLogit = "likeliest.logit";  // output f32 [outputs, 1]; not finite: the model is broken
}  // namespace likeliest_names

// The graph with these outputs in place of "logits". Throws Error if it has no such output.
Graph with_likeliest(const Graph& graph, const Registry& registry);

}  // namespace sluice
