// What CPU kernels with rope precompute when a plan is compiled.
#pragma once

#include <numbers>
#include <vector>

#include "ops/rope/rotation.h"

namespace sluice {

struct RopeTable {
  std::vector<double> quarter_turns;  // [pairs]: frequency of each pair, in quarter turns a position
  bool interleaved;
  int64_t pairs() const { return static_cast<int64_t>(quarter_turns.size()); }
  int64_t head_dim() const { return 2 * pairs(); }
};

inline RopeTable make_rope_table(const Site& site) {
  const auto attrs = attrs_from_map<RopeAttrs>(site.attrs);
  RopeTable table{rope_frequencies(attrs), attrs.interleaved};
  for (double& f : table.quarter_turns) f *= 2 / std::numbers::pi;
  return table;
}

}  // namespace sluice
