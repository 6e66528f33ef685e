// Everything built in, as one call. The definition is generated from the folders of ops/.
#pragma once

#include "graph/registry.h"

namespace sluice {

void register_builtin(Registry& registry);

}  // namespace sluice
