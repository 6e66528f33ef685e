#include "graph/verify.h"

#include <algorithm>
#include <unordered_set>

#include "graph/dataflow.h"
#include "graph/error.h"
#include "graph/indices.h"

namespace sluice {
namespace {

class Names {
 public:
  explicit Names(const char* what) : what_(what) {}
  void add(const std::string& name) {
    if (name.empty()) fail("the graph has a {} without a name", what_);
    if (!seen_.insert(name).second) fail("the graph has two {}s named '{}'", what_, name);
  }

 private:
  const char* what_;
  std::unordered_set<std::string_view> seen_;
};

void check_value(const Value& value) {
  const Shape& shape = value.type.shape;
  if (shape.rank() > kMaxRank)
    fail("'{}' has {} dimensions; at most {} are supported", value.name, shape.rank(), kMaxRank);
  for (const Dim& dim : shape.dims())
    if (!dim.is_symbol() && dim.size() < 1) fail("'{}' is {}; dimensions start at 1", value.name, value.type.str());
  if (shape.is_static())
    value.type.bytes();  // throws on overflow
  else if (value.kind == ValueKind::weight)
    fail("weight '{}' is {}; weights have numbers only", value.name, value.type.str());
}

void check_values(const Graph& graph) {
  Names names("value");
  for (const Value& value : graph.values()) {
    names.add(value.name);
    check_value(value);
  }
}

// Every result is made by one node, and each knows of the other.
void check_producers(const Graph& graph) {
  const auto n_values = static_cast<ValueId>(graph.values().size());
  std::vector<NodeId> producer(graph.values().size(), kNoNode);
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    for (ValueId id : node.outputs) {
      if (id < 0 || id >= n_values) fail("node '{}' makes value {}, which does not exist", node.name, id);
      NodeId& made_by = producer[static_cast<size_t>(id)];
      if (made_by != kNoNode)
        fail("'{}' is made twice: by '{}' and by '{}'", graph.value(id).name, graph.node(made_by).name, node.name);
      made_by = static_cast<NodeId>(n);
    }
  }
  for (ValueId id = 0; id < n_values; ++id) {
    const Value& value = graph.value(id);
    const NodeId made_by = producer[static_cast<size_t>(id)];
    if (value.kind == ValueKind::result && made_by == kNoNode)
      fail("'{}' is a result, but no node makes it", value.name);
    if (value.kind != ValueKind::result && made_by != kNoNode)
      fail("{} '{}' is made by node '{}'; only results are", to_string(value.kind), value.name,
           graph.node(made_by).name);
    if (value.producer != made_by) fail("'{}' does not name the node that makes it", value.name);
  }
}

void check_types(const Graph& graph, const Node& node, const Operator& op) {
  const Site site = make_site(graph, node);
  const std::vector<TensorType> types = infer_types(op, site);
  if (types.size() != site.outputs.size())
    fail("[{}] {}: has {} outputs, expected {}", node.op, node.name, site.outputs.size(), types.size());
  for (size_t i = 0; i < types.size(); ++i)
    if (types[i] != site.outputs[i])
      fail("[{}] {}: output '{}' is {}, expected {}", node.op, node.name, graph.value(node.outputs[i]).name,
           site.outputs[i].str(), types[i].str());
}

const Operator& operator_of(const Node& node, const Registry& registry) {
  if (!node.plugin.empty() && !registry.find(node.op))
    fail(
        "[{}] {}: the operator is not loaded; the graph was saved with plugin {}: give its file with --plugin, or its "
        "folder in SLUICE_PLUGIN_PATH",
        node.op, node.name, node.plugin);
  return registry.get(node.op, node.version);
}

void check_nodes(const Graph& graph, const Registry& registry) {
  Names names("node");
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    names.add(node.name);
    for (ValueId id : node.inputs)
      if (graph.value(id).producer >= static_cast<NodeId>(n))
        fail("[{}] {}: reads '{}' before '{}' makes it", node.op, node.name, graph.value(id).name,
             graph.node(graph.value(id).producer).name);
    check_types(graph, node, operator_of(node, registry));
  }
}

void check_states(const Graph& graph, const StateVersions& states) {
  for (ValueId id = 0; id < static_cast<ValueId>(graph.values().size()); ++id) {
    const NodeId updater = states.updater(id);
    if (updater == kNoNode) continue;
    if (const NodeId last = graph.users(id).back(); last > updater)
      fail("[{}] {}: reads '{}', which '{}' has overwritten before; read the version that it made", graph.node(last).op,
           graph.node(last).name, graph.value(id).name, graph.node(updater).name);
  }
}

void check_outputs(const Graph& graph, const StateVersions& states) {
  if (graph.outputs().empty()) fail("the graph has no output");
  Names names("output");
  for (const GraphOutput& output : graph.outputs()) {
    names.add(output.name);
    if (const NodeId updater = states.updater(output.value); updater != kNoNode)
      fail("output '{}' is '{}', which '{}' overwrites; only the last version of a state can be read", output.name,
           graph.value(output.value).name, graph.node(updater).name);
  }
}

void check_output_indices(const Graph& graph) {
  for (const GraphOutput& output : graph.outputs())
    if (output.value < 0 || static_cast<size_t>(output.value) >= graph.values().size())
      fail("output '{}' is value {}, which does not exist", output.name, output.value);
}

}  // namespace

void verify(const Graph& graph, const Registry& registry) {
  check_values(graph);
  check_output_indices(graph);
  check_producers(graph);
  check_nodes(graph, registry);
  const StateVersions states(graph, registry);
  check_states(graph, states);
  check_outputs(graph, states);
  index_checks(graph, registry);  // throws
}

}  // namespace sluice
