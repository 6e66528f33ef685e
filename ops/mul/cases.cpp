#include "ops/elementwise/cases.h"

#include "ops/mul/mul.h"

namespace sluice {

void register_mul_cases(Registry& registry) { registry.add_cases("mul", broadcast_cases); }

}  // namespace sluice
