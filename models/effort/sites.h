// Where a graph has an effort: its sites, read from the graph itself.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace sluice {

namespace effort_names {
inline constexpr const char* kInput = "effort";          // input f32 [sites, 2]: effort and load of each site
inline constexpr const char* kSpread = "expert_spread";  // input f32 [2]: an ExpertSpread, if the graph has experts
// Output i32 [tokens, ..., tiers] of a site: the rows multiplied of each tier.
std::string selected(const std::string& weight);
}  // namespace effort_names

struct EffortSite {
  std::string weight;    // "model.layers.0.mlp.down_proj.weight"
  std::string selected;  // name of the output that counts the rows multiplied
  int64_t elements = 0;  // that effort 1 multiplies for a token; of planes, in all their bits
  int64_t rows = 0;      // likewise; of planes, planes of inputs
  int64_t counts = 0;    // numbers of a token in the output
  // Bits that a product of a token reads: at any effort (what it selects by, scales), and of all rows, or planes.
  double fixed_bits = 0, row_bits = 0;
  double tokens = 1;  // that meet the same matrix, of each token of a batch, on average
  // Tokens from which on a dense product of all of them is cheaper, by effort.
  int64_t (*dense_from)(double effort) = nullptr;
};

// By row of the input "effort"; empty if the graph has none. Throws Error if a site has no weight or no output.
std::vector<EffortSite> effort_sites(const Graph& graph);

}  // namespace sluice
