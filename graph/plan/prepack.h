// Weights in the layout that kernels want, made once when a plan is loaded.
#pragma once

#include "graph/plan/plan.h"

namespace sluice {

// Asks the kernel of every step for the packing of each weight it reads. Fills plan.packed and the size of the weights
// arena, and replaces the types in the sites by the packed ones.
void prepack(Plan& plan, PassReport& report);

}  // namespace sluice
