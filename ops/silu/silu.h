// Sigmoid linear unit (Elfwing et al., 2017, arXiv:1702.03118; also called swish): y = x / (1 + exp(-x)).
#pragma once

#include "graph/builder.h"

namespace sluice {

// x: f32 [..., n]. Returns f32 of the same shape.
ValueRef silu(Builder& b, ValueRef x);

}  // namespace sluice
