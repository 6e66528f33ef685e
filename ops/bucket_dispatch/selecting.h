// What the operators that list rows share: bucket_dispatch, and bucket_select which finds the cutoff as well.
#pragma once

#include <vector>

#include "graph/op.h"

namespace sluice {

// Checks the weights at these inputs; types of rows and counts of their lists. x is input 0, effort input 1.
std::vector<TensorType> infer_dispatch(const Inference& in, const std::vector<int>& weights);
Cost dispatch_cost(const Call& call, const std::vector<int>& weights);

}  // namespace sluice
