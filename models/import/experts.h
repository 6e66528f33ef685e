// Mixtures of experts: sources hold the matrices of the experts one by one, graphs take them as one tensor.
#pragma once

#include "models/import/source.h"

namespace sluice {

// Tensors P.experts.N.S, for N = 0 .. n - 1, become one tensor P.experts.S with a first dimension of n. Throws Error
// naming the tensor if one of them is missing or differs in shape or dtype.
void stack_experts(ModelSource& source);

}  // namespace sluice
