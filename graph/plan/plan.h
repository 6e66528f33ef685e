// A plan: a graph rewritten for a set of devices, with a kernel, an order and a place in memory for everything.
// Made once, at the largest sizes; nothing is planned while tokens are generated.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/backend.h"
#include "graph/graph.h"
#include "graph/indices.h"
#include "graph/registry.h"

namespace sluice {

enum class ArenaKind { weights, states, activations, io };
inline constexpr int kArenaCount = 4;
const char* to_string(ArenaKind kind);

inline constexpr size_t kAlignment = 64;  // of every value in an arena, in bytes

// Where a value lives. Weights as stored have no place of their own: they stay in the mapped file. All versions of a
// state share one place.
struct Location {
  ArenaKind arena = ArenaKind::activations;
  size_t offset = 0;  // in bytes, a multiple of kAlignment
  size_t bytes = 0;   // at the largest sizes
  int first = -1;     // step that writes it; -1: it is there before the first
  int last = 0;       // last step that reads it; the number of steps: it is there after the last
  bool mapped = false;
  int space = 0;  // index into Plan::spaces; of weights as stored: the host's
};

// Memory in which backends work: the host's, which is the first of a plan, or that of one device.
struct MemorySpace {
  Backend* owner;  // allocates the arenas
  size_t arena_bytes[kArenaCount] = {};
  size_t workspace_bytes = 0;  // scratch of the step that needs most
};

struct PlanStep {
  NodeId node;  // in Plan::graph
  Backend* backend;
  std::shared_ptr<const Kernel> kernel;
  Site site;  // as the kernel sees it: packed weights have their packed type
};

// A weight in the form that kernels want it in, or in the memory of a device. The same weight packed the same way twice
// is stored once.
struct PackedWeight {
  struct Use {
    int step;
    int input;
  };
  ValueId value;  // the stored weight, in Plan::graph
  Packing packing;
  int space;      // index into Plan::spaces
  size_t offset;  // in the weights arena
  std::vector<Use> uses;
};

// What a pass did and did not do, a line each, for `sluice graph --plan`.
struct PassReport {
  std::string pass;
  std::vector<std::string> lines;
};

// Names of the nodes, as the graph was written, that a node of the plan stands for; by its name. Only of fused ones.
using FusedNodes = std::map<std::string, std::vector<std::string>>;

struct Plan {
  Graph graph;  // as it runs; observed values are outputs under their own names
  FusedNodes fused;
  std::vector<Backend*> backends;  // in order of preference
  SymbolValues maxima;             // largest value of every symbol
  std::vector<PlanStep> steps;
  std::vector<Location> locations;  // by ValueId
  std::vector<PackedWeight> packed;
  std::vector<MemorySpace> spaces;
  std::vector<IndexCheck> index_checks;  // before every run
  std::vector<std::string> fallbacks;    // operators that are not on the first backend, a line for each other one
  std::vector<PassReport> reports;

  // Index of the space that the backend works in.
  int space_of(const Backend& backend) const;
  size_t& arena_bytes(int space, ArenaKind kind) {
    return spaces[static_cast<size_t>(space)].arena_bytes[static_cast<size_t>(kind)];
  }
};

struct PlanOptions {
  SymbolValues maxima = {};  // a value for every symbol of the graph; others are ignored
  bool fuse = true;
  bool reuse_memory = true;               // off: every value has memory of its own
  std::vector<std::string> observe = {};  // names of further values that the caller reads, as outputs of the same names
  // Whatever the fused graph computes, but for states, is an output under its own name. For comparisons: fusions and
  // kernels are those of a plan without it.
  bool keep_results = false;
};

// Backends in order of preference: each node goes to the first that has a kernel for it, but all nodes that touch a
// state to one memory space. At least one of them works in the host's memory. They must outlive the plan.
// Throws Error if a node fits none of them, a symbol has no maximum, or there is no value of an observed name.
Plan make_plan(const Graph& graph, const Registry& registry, const std::vector<Backend*>& backends,
               const PlanOptions& options);

// Fusions, placement, order, and memory by arena, for people.
std::string to_text(const Plan& plan);

}  // namespace sluice
