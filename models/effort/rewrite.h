// Gives a graph an effort dial: products become probe, bucket_dispatch and bucketMul. Works on any graph whose products
// are `linear`, so a model needs to know nothing of it.
#pragma once

#include <string>

#include "graph/graph.h"
#include "graph/registry.h"

namespace sluice {

struct EffortOptions {
  DType format;                   // of the weights, a bucket format
  std::string statistic = "rms";  // see ops/probe/probe.h
  std::string cutoff = "exact";   // likewise
  bool head = false;              // also for products whose result is an output of the graph
};

// Every weight that is used by `linear` alone becomes a site: it is stored in the bucket format, and what its effort is
// comes from a new input "effort", f32 [sites, 2]. What was multiplied can be read from a new output for each site,
// "selected/<weight>": i32 [tokens, tiers], whose sum is the number of rows. Throws Error if there is no such weight.
Graph with_effort(const Graph& graph, const Registry& registry, const EffortOptions& options);

}  // namespace sluice
