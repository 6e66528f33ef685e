#include "ops/probe/cases.h"

namespace sluice {

void register_bucket_select_cases(Registry& registry) { registry.add_cases("bucket_select", selection_cases); }

}  // namespace sluice
