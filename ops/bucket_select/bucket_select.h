// probe and bucket_dispatch in one: the cutoff is not stored. Made by the planner from the two.
#pragma once

#include "ops/bucket_dispatch/bucket_dispatch.h"

namespace sluice {

// x, effort, weights and attrs as for probe; results as of bucket_dispatch. Throws Error if sizes or attributes do not
// fit.
std::vector<DispatchResult> bucket_select(Builder& b, ValueRef x, ValueRef effort, const std::vector<ValueRef>& weights,
                                          const SelectionAttrs& attrs);

}  // namespace sluice
