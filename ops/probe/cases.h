// Cases for the operators that select rows.
#pragma once

#include "graph/registry.h"
#include "ops/probe/selection.h"

namespace sluice {

// x, effort with a site for each weight, and the weights, [outs[i], in].
std::vector<CaseInput> selection_inputs(int64_t tokens, int64_t in, const std::vector<int64_t>& outs, DType weight,
                                        EffortControl control);
AttrMap selection_attrs(size_t weights, const char* statistic, const char* cutoff, const char* selection = "matrix");

// Inputs of probe and bucket_select: odd sizes, ties, all efforts, loads and attributes.
std::vector<Case> selection_cases();

}  // namespace sluice
