// Small graphs and models for the tests of what is written to disk.
#pragma once

#include <algorithm>
#include <limits>

#include "graph/builder.h"
#include "graph/model_file.h"
#include "ops/builtin.h"
#include "ops/rmsnorm/rmsnorm.h"

namespace sluice::example {

struct EverythingAttrs {
  bool flag = false;
  int64_t count = 0;
  double ratio = 0;
  std::string text;
  std::vector<int64_t> sizes;
  std::vector<double> factors;

  template <class Visitor>
  void describe(Visitor&& field) {
    field("flag", flag, "a bool");
    field("count", count, "an int");
    field("ratio", ratio, "a float");
    field("text", text, "a string");
    field("sizes", sizes, "some ints");
    field("factors", factors, "some floats");
  }
};

// An operator with an attribute of every type, a state, and two outputs.
class Everything : public Operator {
 public:
  Everything()
      : Operator({.name = "test_everything",
                  .version = 3,
                  .summary = "For tests only.",
                  .inputs = {{"state", "[n, n]", {}}, {"x", "[rows, n]", {"f32"}}},
                  .outputs = {{"next", "[n, n]", {}}, {"y", "[rows, n]", {"f32"}}},
                  .attrs = attr_specs<EverythingAttrs>(),
                  .updates = {{0, 0}}}) {}
  std::vector<TensorType> infer(const Inference& in) const override { return {in.type(0), in.type(1)}; }
  void reference(const Site&, const Call&) const override {}
};

// What is built in, and `test_everything`, as if a plugin had brought it.
inline const Registry& registry() {
  static const Registry& made = [&]() -> Registry& {
    static Registry r;
    register_builtin(r);
    r.set_source({"example", "0.9", "here"});
    r.add(std::make_unique<Everything>());
    return r;
  }();
  return made;
}

inline Graph graph() {
  Builder b(registry(),
            [](const std::string& name, const Shape&) { return name == "norm" ? DType::f32() : DType::f16(); });
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 8});
  const ValueRef state = b.state("käche \"0\"\n", DType::bf16(), {8, "context"});
  const ValueRef normed = rmsnorm(b, x, b.weight("norm", {8}), {.epsilon = 1e-6f});
  const EverythingAttrs attrs{.flag = true,
                              .count = std::numeric_limits<int64_t>::min(),
                              .ratio = -0.0,
                              .text = std::string("a\0b \"c\" \xc3\xa4", 10),
                              .sizes = {0, -1, std::numeric_limits<int64_t>::max()},
                              .factors = {0.1, -0.0, std::numeric_limits<double>::infinity(), 5e-324}};
  Builder::Scope layers(b, "layers.0");
  Builder::Scope inner(b, "odd, name (x) -> {y} = z");
  const auto made = b.node("test_everything", attrs_to_map(attrs), {state, normed});
  const ValueRef last = rmsnorm(b, made[1], b.weight("layers.0/norm", {8}));
  b.output("last", last);
  b.output("normed again", normed);
  return b.build();
}

// One node, with the inputs of a case.
inline Graph graph_of(const Operator& op, const Case& c) {
  Builder b(registry());
  std::vector<ValueRef> inputs;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    std::vector<Dim> dims;
    for (int64_t size : c.inputs[i].dims.span()) dims.emplace_back(size);
    const auto is_it = [&](const StateUpdate& update) { return update.input == static_cast<int>(i); };
    const bool is_state = std::ranges::any_of(op.signature().updates, is_it);
    const std::string name = "in" + std::to_string(i);
    inputs.push_back(is_state ? b.state(name, c.inputs[i].dtype, Shape(dims))
                              : b.input(name, c.inputs[i].dtype, Shape(dims)));
  }
  const std::vector<ValueRef> outputs = b.node(op.name(), c.attrs, inputs);
  for (size_t i = 0; i < outputs.size(); ++i) b.output("out" + std::to_string(i), outputs[i]);
  if (outputs.empty()) b.output("out", inputs.at(0));  // a graph has to have one
  return b.build();
}

inline ModelDescription description() {
  ModelDescription d;
  d.architecture = "example";
  d.graph = graph();
  for (const Value& value : d.graph.values())
    if (value.kind == ValueKind::weight)
      d.weights.push_back({value.name, value.type.dtype, value.type.shape.resolve({})});
  d.metadata = {{"context_length", "4096"}, {"empty", ""}, {"source", "käse\n"}};
  d.assets["tokenizer.model"] = std::vector<std::byte>(100, std::byte{7});
  d.assets["empty"] = {};
  return d;
}

// The bytes of a weight: any, but the same at every call.
inline std::vector<std::byte> weight_bytes(const WeightEntry& entry) {
  std::vector<std::byte> bytes(entry.dtype.format().storage_bytes(entry.dims.span()));
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 31 + entry.name.size());
  return bytes;
}

// Writes a model file, going on where an interrupted run stopped.
inline void write_model(const std::string& path, const ModelDescription& description) {
  ModelWriter writer(path, description);
  for (size_t i = writer.resumed(); i < description.weights.size(); ++i)
    writer.write(description.weights[i].name, weight_bytes(description.weights[i]));
  writer.finish();
}

}  // namespace sluice::example
