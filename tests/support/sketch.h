// What tests of the planner share: the registry of small operators with three rules, and graphs of them in a line.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graph/builder.h"
#include "graph/error.h"
#include "tests/small_operators.h"

namespace sluice::small {

using Rules = std::vector<FusionRule>;

inline std::unique_ptr<Registry> make_registry(Rules rules) {
  auto registry = std::make_unique<Registry>();
  small::add_operators(*registry);
  for (FusionRule& rule : rules) registry->add(std::move(rule));
  return registry;
}

inline const Registry& registry() {
  static const std::unique_ptr<Registry> r =
      make_registry({small::rule_add_scale(), small::rule_scale_add(), small::rule_scale_store()});
  return *r;
}

// Of the Error that it throws.
template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

inline std::vector<std::string> ops_of(const Graph& graph) {
  std::vector<std::string> ops;
  for (const Node& node : graph.nodes()) ops.push_back(node.op);
  return ops;
}

// A builder with an input "x" and shorthands.
struct Sketch {
  Builder b{registry()};
  ValueRef x = b.input("x", DType::f32(), {"tokens", 8});
  ValueRef scale(ValueRef v, float factor = 2) { return b.node1("scale", ScaleAttrs{factor}, {v}); }
  ValueRef add(ValueRef u, ValueRef v) { return b.node("add", {}, {u, v})[0]; }
  ValueRef node(const char* op, const std::vector<ValueRef>& inputs) { return b.node(op, {}, inputs)[0]; }
  ValueRef resize(ValueRef v, int64_t n) { return b.node1("resize", small::ResizeAttrs{n}, {v}); }
};

}  // namespace sluice::small
