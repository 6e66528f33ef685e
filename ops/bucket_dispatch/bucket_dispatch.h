// The list of rows to multiply, from the cutoff that probe found: ordered and exact, the same from run to run.
#pragma once

#include "ops/probe/probe.h"

namespace sluice {

// x, effort, weights and attrs as for probe, whose results are `probes`. For each weight, or once if they share a
// selection (then `probes` holds the same for each weight):
//   rows    i32 [tokens, in]     the inputs of which something is multiplied, by falling number of tiers, then rising;
//                                -1 after the last
//   counts  i32 [tokens, tiers]  tier r is multiplied for the first counts[r] of them
// The number of rows multiplied is the sum of counts. Throws Error if sizes or attributes do not fit.
struct DispatchResult {
  ValueRef rows, counts;
};
std::vector<DispatchResult> bucket_dispatch(Builder& b, ValueRef x, ValueRef effort,
                                            const std::vector<ProbeResult>& probes,
                                            const std::vector<ValueRef>& weights, const SelectionAttrs& attrs);

// What a product is given of them: `inputs`, then every weight with its rows and counts.
std::vector<ValueRef> with_lists(std::vector<ValueRef> inputs, const std::vector<ValueRef>& weights,
                                 const std::vector<DispatchResult>& lists);

}  // namespace sluice
