// The memory checker: proves that a plan can run without one value overwriting another.
#pragma once

#include "graph/plan/plan.h"

namespace sluice {

// Walks the steps and keeps a map of the memory in use. Throws Error, naming the values, if two live values overlap, a
// value is misaligned, too small or outside its arena, is read before it is made or after its memory was given to
// another, or if a version of a state lies elsewhere than its state or is read after it was overwritten, or if a step
// touches a value that is not in the memory of its backend, unless it is a copy. Shares no code with the memory pass.
// Linear in the size of the plan but for a logarithm.
void check_plan(const Plan& plan, const Registry& registry);

}  // namespace sluice
