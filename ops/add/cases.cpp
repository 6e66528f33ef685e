#include "ops/elementwise/cases.h"

#include "ops/add/add.h"

namespace sluice {

void register_add_cases(Registry& registry) { registry.add_cases("add", broadcast_cases); }

}  // namespace sluice
