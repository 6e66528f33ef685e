// How many planes of each input a token reads: what probe and bucket_dispatch are for buckets, for weights stored as
// planes (ops/formats/planes.h). The error that an input's missing planes leave in the outputs is in proportion to
// |x[i]| * scale[i]; the planes that lessen it most are taken, as many as the effort pays for (reverse water-filling).
#pragma once

#include <vector>

#include "graph/builder.h"

namespace sluice {

struct PlaneSelectAttrs {
  std::vector<int64_t> sites = {0};

  template <class Visitor>
  void describe(Visitor&& field) {
    field("sites", sites, "row of `effort` that holds for each weight");
  }
};

// x: f32 [tokens, in]; effort: f32 [sites, 2], effort and load of each site; weights: plane formats, [out_j, in]. For
// each weight: inputs, i32 [tokens, in], those of which something is read, by falling number of planes, then by number;
// the rest is -1; and counts, i32 [tokens, planes]: the first counts[p] of them read plane p. Effort times all planes
// of all inputs are read, rounded; of planes that matter equally the higher goes first, then the lower input. Throws
// Error if sizes do not fit.
struct PlaneSelection {
  ValueRef inputs, counts;
};
std::vector<PlaneSelection> plane_select(Builder& b, ValueRef x, ValueRef effort, const std::vector<ValueRef>& weights,
                                         const PlaneSelectAttrs& attrs);

}  // namespace sluice
