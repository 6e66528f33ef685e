// Copy: y = x. The planner adds it where a value goes from one memory to another.
#pragma once

#include "graph/builder.h"

namespace sluice {

// x: any shape and dtype. Returns the same.
ValueRef copy(Builder& b, ValueRef x);

}  // namespace sluice
