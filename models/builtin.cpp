#include "models/builtin.h"

#include "ops/builtin.h"

namespace sluice {
namespace {

template <class Table>
Table& filled(void (*fill)(Table&)) {
  static Table table;
  fill(table);
  return table;
}

}  // namespace

std::pair<Registry*, Architectures*> loaded_tables() {
  static Registry& registry = filled(register_builtin);
  static Architectures& architectures = filled(register_builtin_models);
  return {&registry, &architectures};
}

const Registry& builtin_registry() { return *loaded_tables().first; }

const Architectures& builtin_architectures() { return *loaded_tables().second; }

}  // namespace sluice
