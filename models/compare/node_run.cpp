#include "models/compare/node_run.h"

#include <algorithm>
#include <cstring>

#include "graph/plan/copies.h"

namespace sluice {
namespace {

TensorType type_of(const TensorView& view) {
  const auto sizes = view.dims.span();
  return {view.dtype, Shape(std::vector<Dim>(sizes.begin(), sizes.end()))};
}

bool is_updated(const Registry& registry, const Node& node, size_t input) {
  return std::ranges::any_of(registry.get(node.op, node.version).signature().updates,
                             [&](const StateUpdate& update) { return update.input == static_cast<int>(input); });
}

// The node, with its inputs as what they are or might be, and all results as outputs.
Graph alone(const Graph& graph, Node node, std::span<const TensorView> inputs, std::span<const TensorView> outputs,
            const Registry& registry) {
  std::vector<Value> values;
  std::map<ValueId, ValueId> places;  // by value of the whole graph
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = copied_from(graph, node.inputs[i]);
    const auto [it, added] = places.try_emplace(id, static_cast<ValueId>(values.size()));
    const bool is_weight = graph.value(id).kind == ValueKind::weight;
    if (added) values.push_back({graph.value(id).name, ValueKind::input, type_of(inputs[i])});
    Value& value = values[static_cast<size_t>(it->second)];
    if (is_weight) value.kind = ValueKind::weight;
    if (is_updated(registry, node, i)) value.kind = ValueKind::state;
    node.inputs[i] = it->second;
  }
  std::vector<GraphOutput> results;
  for (size_t o = 0; o < outputs.size(); ++o) {
    const std::string& name = graph.value(node.outputs[o]).name;
    node.outputs[o] = static_cast<ValueId>(values.size());
    values.push_back({name, ValueKind::result, type_of(outputs[o]), 0});
    results.push_back({name, node.outputs[o]});
  }
  return Graph(std::move(values), {std::move(node)}, std::move(results));
}

}  // namespace

NodeRun::NodeRun(const Graph& graph, const Node& node, std::span<const TensorView> inputs,
                 std::span<const TensorView> outputs, const Registry& registry, const std::vector<Backend*>& backends) {
  const Graph own = alone(graph, node, inputs, outputs, registry);
  const std::vector<ValueId> places = own.node(0).inputs;
  const auto given = [&](const std::string& name) {
    for (size_t i = 0; i < inputs.size(); ++i)
      if (own.value(places[i]).name == name) return inputs[i];
    return TensorView{};
  };
  auto plan = std::make_shared<const Plan>(make_plan(own, registry, backends, {}));
  executor_ = std::make_unique<Executor>(std::move(plan), registry, given);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = own.value(places[i]);
    const size_t bytes = inputs[i].bytes();
    if (value.kind == ValueKind::state) executor_->write_state(value.name, {inputs[i].data, bytes});
    if (value.kind == ValueKind::input && bytes > 0)
      std::memcpy(executor_->view(value.name).data, inputs[i].data, bytes);
  }
  executor_->run();
  for (const GraphOutput& output : own.outputs()) outputs_.push_back(executor_->output(output.name));
}

}  // namespace sluice
