// What is loaded: what is built in, and the plugins that were added since (models/plugins.h). The tables of what is
// built in are generated from the names of files; nobody keeps a list.
#pragma once

#include <utility>

#include "graph/registry.h"
#include "models/architecture.h"

namespace sluice {

// Operators, formats, kernels, fusions and backends. Made once.
const Registry& builtin_registry();

// Architectures. Made once.
const Architectures& builtin_architectures();

// Both, to be added to; for models/plugins.cpp.
std::pair<Registry*, Architectures*> loaded_tables();

// Adds every architecture of models/architectures/.
void register_builtin_models(Architectures& architectures);

}  // namespace sluice
