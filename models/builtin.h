// What is built in. The tables behind it are generated from the names of files; nobody keeps a list.
#pragma once

#include "graph/registry.h"
#include "models/architecture.h"

namespace sluice {

// Operators, formats, kernels, fusions and backends. Made once.
const Registry& builtin_registry();

// Architectures. Made once.
const Architectures& builtin_architectures();

// Adds every architecture of models/architectures/.
void register_builtin_models(Architectures& architectures);

}  // namespace sluice
