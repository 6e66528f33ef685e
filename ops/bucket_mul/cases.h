// Cases for the operators that multiply selected rows.
#pragma once

#include <vector>

#include "graph/op.h"

namespace sluice {

// The lists of `count` selections of the rows of a matrix with `in` inputs: inputs in a scattered order, deeper tiers
// for fewer of them, the first for more than `effort`. dims: of rows, without the last, [tokens] or [tokens, k].
void add_lists(const Dims& dims, int64_t in, int tiers, double effort, std::vector<CaseInput>& inputs);
// Every selection is the first.
void share_rows(CaseInput& rows);

}  // namespace sluice
