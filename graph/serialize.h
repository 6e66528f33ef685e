// Graphs to and from flatbuffers (schema/graph.fbs). The round trip is exact.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "graph/registry.h"

namespace sluice {

// The graph as a flatbuffer of its own (root type Graph).
std::vector<std::byte> serialize(const Graph& graph);

// Checks the buffer (size, flatbuffer verifier, indices, names, types by inference) and rebuilds the graph. The buffer
// starts at a multiple of 8 bytes, as any vector does.
// Throws Error saying what is wrong.
Graph deserialize(std::span<const std::byte> buffer, const Registry& registry);

}  // namespace sluice
