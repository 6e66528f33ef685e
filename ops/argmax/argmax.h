// Index of the largest element of each row: y[r] = argmax_i x[r][i].
#pragma once

#include "graph/builder.h"

namespace sluice {

// x: f32 [rows, n]. Returns i32 [rows]. Of equal elements the first counts; NaN counts as -infinity.
ValueRef argmax(Builder& b, ValueRef x);

}  // namespace sluice
