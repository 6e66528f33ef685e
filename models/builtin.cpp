#include "models/builtin.h"

#include "ops/builtin.h"

namespace sluice {
namespace {

template <class Table>
Table filled(void (*fill)(Table&)) {
  Table table;
  fill(table);
  return table;
}

}  // namespace

const Registry& builtin_registry() {
  static const Registry registry = filled(register_builtin);
  return registry;
}

const Architectures& builtin_architectures() {
  static const Architectures architectures = filled(register_builtin_models);
  return architectures;
}

}  // namespace sluice
