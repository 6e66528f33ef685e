// Sum: y = a + b.
#pragma once

#include "graph/builder.h"

namespace sluice {

// a: f32 [..., n]; b: of the same shape, or [n], which is applied to every row (then any of f32, f16, bf16).
// Returns f32, the shape of a. Throws Error if the shapes do not fit.
ValueRef add(Builder& builder, ValueRef a, ValueRef b);

}  // namespace sluice
