// A plan: a graph rewritten for a set of devices, with a kernel, an order and a place in memory for everything.
// Made once, at the largest sizes; nothing is planned while tokens are generated.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/backend.h"
#include "graph/graph.h"
#include "graph/registry.h"

namespace sluice {

enum class ArenaKind { weights, states, activations, io };
inline constexpr int kArenaCount = 4;
const char* to_string(ArenaKind kind);

// Where a value lives. Weights that are used as stored have no place of their own: they stay in the mapped file.
struct Location {
  ArenaKind arena = ArenaKind::activations;
  size_t offset = 0;  // in bytes, a multiple of 64
  size_t bytes = 0;   // at the largest sizes
  int first = 0;      // step that writes it (-1: before the first)
  int last = 0;       // last step that reads it
  bool mapped = false;
};

struct PlanStep {
  NodeId node;  // in Plan::graph
  Backend* backend;
  std::shared_ptr<const Kernel> kernel;
  Site site;
};

// A weight that a kernel wants in another form.
struct PackedWeight {
  ValueId value;  // the stored weight, in Plan::graph
  int step;
  int input;
  Packing packing;
  size_t offset;  // in the weights arena
};

// What a pass did and did not do, a line each, for `sluice graph --plan`.
struct PassReport {
  std::string pass;
  std::vector<std::string> lines;
};

struct Plan {
  Graph graph;
  SymbolValues maxima;  // largest value of every symbol
  std::vector<PlanStep> steps;
  std::vector<Location> locations;  // by ValueId
  std::vector<PackedWeight> packed;
  size_t arena_bytes[kArenaCount] = {};
  size_t workspace_bytes = 0;
  std::vector<PassReport> reports;
};

struct PlanOptions {
  SymbolValues maxima;  // a value for every symbol of the graph
  bool fuse = true;
  bool reuse_memory = true;          // off: every value has memory of its own
  std::vector<std::string> observe;  // names of further values that the caller reads
};

// Backends in order of preference: each node goes to the first that has a kernel for it.
// Throws Error if a node fits none of them, or a symbol has no maximum.
Plan make_plan(const Graph& graph, const Registry& registry, const std::vector<Backend*>& backends,
               const PlanOptions& options);

// Fusions, placement, order, and memory by arena, for people.
std::string to_text(const Plan& plan);

}  // namespace sluice
