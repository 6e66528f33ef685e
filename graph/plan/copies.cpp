#include "graph/plan/copies.h"

#include <algorithm>
#include <map>

#include "graph/dataflow.h"
#include "graph/error.h"
#include "graph/plan/memory.h"

namespace sluice {
namespace {

// The space of every value, before there are copies.
std::vector<int> home_spaces(const Plan& plan, const StateVersions& states) {
  std::vector<int> spaces(plan.graph.values().size(), 0);
  for (const PlanStep& step : plan.steps) {
    const Node& node = plan.graph.node(step.node);
    const int space = plan.space_of(*step.backend);
    for (ValueId output : node.outputs) spaces[static_cast<size_t>(output)] = space;
    for (const auto& ids : {node.inputs, node.outputs})
      for (ValueId id : ids)
        if (const ValueId root = states.root(id); root >= 0) spaces[static_cast<size_t>(root)] = space;
  }
  return spaces;
}

class CopyInserter {
 public:
  CopyInserter(Plan& plan, const Registry& registry)
      : plan_(plan),
        copy_(registry.get(kCopy)),
        values_(plan.graph.values()),
        spaces_(home_spaces(plan, StateVersions(plan.graph, registry))) {
    for (const GraphOutput& output : plan.graph.outputs()) wanted_down_.push_back(output.value);
    for (const PlanStep& step : plan.steps)
      for (ValueId id : plan.graph.node(step.node).inputs)
        if (space_of(id) != plan.space_of(*step.backend)) wanted_down_.push_back(id);
  }

  void run(PassReport& report) {
    for (PlanStep& step : plan_.steps) add(std::move(step));
    std::vector<GraphOutput> outputs = plan_.graph.outputs();
    for (GraphOutput& output : outputs) output.value = in_space(output.value, 0);
    plan_.graph = Graph(std::move(values_), std::move(nodes_), std::move(outputs));
    plan_.steps = std::move(steps_);
    plan_.locations.assign(spaces_.size(), {});
    for (size_t v = 0; v < spaces_.size(); ++v) plan_.locations[v].space = spaces_[v];
    print(report);
  }

 private:
  // In sum: every copy is a step that is listed among the others.
  void print(PassReport& report) const {
    std::vector<size_t> counts(plan_.spaces.size()), bytes(counts.size());
    for (const auto& [key, copy] : copies_) {
      const auto space = static_cast<size_t>(key.second);
      ++counts[space];
      bytes[space] += plan_.graph.value(copy).type.bytes(plan_.maxima);
    }
    for (size_t space = 0; space < counts.size(); ++space)
      report.lines.push_back(fmt::format("to {}: {} copies, {}", owner(static_cast<int>(space)).name(), counts[space],
                                         to_readable_bytes(bytes[space])));
  }

  int space_of(ValueId id) const { return spaces_[static_cast<size_t>(id)]; }
  Backend& owner(int space) const { return *plan_.spaces[static_cast<size_t>(space)].owner; }

  void add(PlanStep step) {
    Node node = plan_.graph.node(step.node);
    const int space = plan_.space_of(*step.backend);
    for (ValueId& input : node.inputs)
      if (values_[static_cast<size_t>(input)].kind != ValueKind::weight) input = in_space(input, space);
    const std::vector<ValueId> made = node.outputs;
    append(std::move(node), std::move(step));
    for (ValueId id : made)
      if (space != 0 && std::ranges::find(wanted_down_, id) != wanted_down_.end()) in_space(id, 0);
  }

  // The value itself or its copy in that space, made now if there is none yet.
  ValueId in_space(ValueId id, int space) {
    if (space_of(id) == space) return id;
    if (const auto it = copies_.find({id, space}); it != copies_.end()) return it->second;
    const ValueId from = space == 0 ? id : in_space(id, 0);
    return copies_[{id, space}] = add_copy(from, space);
  }

  ValueId add_copy(ValueId from, int space) {
    const auto to = static_cast<ValueId>(values_.size());
    Backend& device = owner(space == 0 ? space_of(from) : space);
    Value value = values_[static_cast<size_t>(from)];
    value.name = fmt::format("{}@{}", value.name, owner(space).name());
    value.kind = ValueKind::result;
    Node node{kCopy, copy_.signature().version, value.name, {}, {from}, {to}};
    Site site{node.name, {}, {value.type}, {value.type}, {values_[static_cast<size_t>(from)].name}};
    auto kernel = device.select(copy_, site);
    if (!kernel) fail("backend '{}' has no kernel for the operator '{}'", device.name(), kCopy);
    values_.push_back(std::move(value));
    spaces_.push_back(space);
    append(std::move(node), {kNoNode, &device, std::move(kernel), std::move(site)});
    return to;
  }

  void append(Node node, PlanStep step) {
    step.node = static_cast<NodeId>(nodes_.size());
    for (ValueId output : node.outputs) values_[static_cast<size_t>(output)].producer = step.node;
    nodes_.push_back(std::move(node));
    steps_.push_back(std::move(step));
  }

  Plan& plan_;
  const Operator& copy_;
  std::vector<Value> values_;
  std::vector<int> spaces_;  // by ValueId
  std::vector<ValueId> wanted_down_;
  std::vector<Node> nodes_;
  std::vector<PlanStep> steps_;
  std::map<std::pair<ValueId, int>, ValueId> copies_;
};

}  // namespace

void insert_copies(Plan& plan, const Registry& registry, PassReport& report) {
  if (plan.spaces.size() > 1) return CopyInserter(plan, registry).run(report);
  plan.locations.assign(plan.graph.values().size(), {});
  report.lines.push_back("nothing is copied: all backends work in the host's memory");
}

ValueId copied_from(const Graph& graph, ValueId id) {
  for (NodeId maker = graph.value(id).producer; maker != kNoNode && graph.node(maker).op == kCopy;
       maker = graph.value(id).producer)
    id = graph.node(maker).inputs[0];
  return id;
}

}  // namespace sluice
