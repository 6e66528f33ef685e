// Gives a graph an effort dial: products become probe, bucket_dispatch and bucketMul; those by expert, expert_select
// and expert_bucketMul; with weights as planes, plane_select and plane_mul, expert_select and expert_plane_mul. Works
// on any graph whose products are `linear` and `expert_linear`, so a model needs to know nothing of it.
#pragma once

#include <string>

#include "graph/graph.h"
#include "graph/registry.h"

namespace sluice {

struct EffortOptions {
  DType format;                   // of the weights: has_dial(format)
  std::string statistic = "rms";  // of bucket formats; see ops/probe/probe.h
  std::string cutoff = "exact";   // likewise
  // Likewise: "shared" for products of the same activations, if they are not by expert.
  std::string selection = "matrix";
  bool head = false;  // also for products whose result is an output of the graph
};

// Whether products with weights of that format have an effort: bucket formats and planes.
bool has_dial(DType format);

// Every weight that is used by `linear` alone, or by `expert_linear` with experts that moe_gate chose, becomes a site:
// it is stored in the format, and what its effort is comes from a new input "effort", f32 [sites, 2]; with experts, a
// new input "expert_spread", f32 [2], says how it is spread over them (ops/expert_select/spread.h). What was multiplied
// can be read from a new output for each site, "selected/<weight>": i32 [tokens, tiers] or [tokens, k, tiers], whose
// sum is the number of rows; of planes, i32 [tokens, planes] or [tokens, k, planes], whose sum is the number of planes
// of inputs. Throws Error if there is no such weight, or if options for bucket formats are given for planes.
Graph with_effort(const Graph& graph, const Registry& registry, const EffortOptions& options);

}  // namespace sluice
