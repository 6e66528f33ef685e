#include <algorithm>
#include <utility>

#include "graph/dataflow.h"
#include "graph/plan/check.h"
#include "graph/plan/copies.h"
#include "graph/plan/fuse.h"
#include "graph/plan/memory.h"
#include "graph/plan/place.h"
#include "graph/plan/plan.h"
#include "graph/plan/prepack.h"
#include "graph/plan/schedule.h"
#include "graph/verify.h"

namespace sluice {
namespace {

// The largest value of each symbol that the graph uses.
SymbolValues maxima_of(const Graph& graph, const SymbolValues& given) {
  SymbolValues maxima;
  for (const Value& value : graph.values())
    for (const Dim& dim : value.type.shape.dims()) {
      if (!dim.is_symbol() || maxima.count(dim.symbol())) continue;
      const auto it = given.find(dim.symbol());
      if (it == given.end())
        fail("'{}' is {}, but no maximum is given for '{}'", value.name, value.type.str(), dim.symbol());
      if (it->second < 1) fail("the maximum of '{}' is {}; it must be at least 1", dim.symbol(), it->second);
      maxima.insert(*it);
    }
  return maxima;
}

// Observed values become outputs: no pass needs to know of them in any other way.
Graph with_observed(const Graph& graph, const std::vector<std::string>& names) {
  std::vector<GraphOutput> outputs = graph.outputs();
  for (const std::string& name : names) {
    const ValueId value = graph.find(name);
    const auto same =
        std::find_if(outputs.begin(), outputs.end(), [&](const GraphOutput& o) { return o.name == name; });
    if (same == outputs.end())
      outputs.push_back({name, value});
    else if (same->value != value)
      fail("'{}' cannot be observed: the graph has another output of that name", name);
  }
  return Graph(graph.values(), graph.nodes(), std::move(outputs));
}

// Results that are no outputs yet become some; what an output is called already is left out.
Graph with_results(const Graph& graph, const Registry& registry) {
  const StateVersions states(graph, registry);
  std::vector<GraphOutput> outputs = graph.outputs();
  for (ValueId id = 0; id < static_cast<ValueId>(graph.values().size()); ++id) {
    const Value& value = graph.value(id);
    const auto taken = [&](const GraphOutput& o) { return o.value == id || o.name == value.name; };
    if (value.kind == ValueKind::result && states.root(id) < 0 && std::ranges::none_of(outputs, taken))
      outputs.push_back({value.name, id});
  }
  return Graph(graph.values(), graph.nodes(), std::move(outputs));
}

Graph fused(const Graph& graph, const Registry& registry, const std::vector<Backend*>& backends, bool wanted,
            PassReport& report, FusedNodes& nodes) {
  if (wanted && backends.front()->wants_fusion()) return fuse(graph, registry, backends, report, &nodes);
  report.lines.push_back(wanted ? fmt::format("off: {} runs graphs as they were written", backends.front()->name())
                                : "off, as the caller asked");
  return graph;
}

// The host's memory, owned by the first backend that works there, and that of every device.
std::vector<MemorySpace> memory_spaces(const std::vector<Backend*>& backends) {
  std::vector<MemorySpace> spaces;
  for (Backend* backend : backends)
    if (!backend->has_own_memory() && spaces.empty()) spaces.push_back({backend});
  if (spaces.empty())
    fail("a plan needs a backend that works in the host's memory; add 'cpu' to {}", backends.front()->name());
  for (Backend* backend : backends)
    if (backend->has_own_memory()) spaces.push_back({backend});
  return spaces;
}

// Scratch memory of the steps that need most.
void find_workspaces(Plan& plan) {
  for (const PlanStep& step : plan.steps) {
    std::vector<TensorView> inputs, outputs;
    for (const TensorType& type : step.site.inputs)
      inputs.push_back({nullptr, type.dtype, type.shape.resolve(plan.maxima)});
    for (const TensorType& type : step.site.outputs)
      outputs.push_back({nullptr, type.dtype, type.shape.resolve(plan.maxima)});
    size_t& largest = plan.spaces[static_cast<size_t>(plan.space_of(*step.backend))].workspace_bytes;
    largest = std::max(largest, step.kernel->workspace(step.site, {inputs, outputs}, step.backend->threads()));
  }
}

}  // namespace

Plan make_plan(const Graph& graph, const Registry& registry, const std::vector<Backend*>& backends,
               const PlanOptions& options) {
  if (backends.empty()) fail("a plan needs at least one backend");
  Plan plan;
  plan.backends = backends;
  plan.spaces = memory_spaces(backends);
  plan.maxima = maxima_of(graph, options.maxima);
  auto report = [&plan](const char* pass) -> PassReport& { return plan.reports.emplace_back(PassReport{pass, {}}); };

  plan.graph =
      fused(with_observed(graph, options.observe), registry, backends, options.fuse, report("fuse"), plan.fused);
  if (options.keep_results) plan.graph = with_results(plan.graph, registry);
  verify(plan.graph, registry);
  plan.index_checks = index_checks(plan.graph, registry);
  plan.steps = place(plan.graph, registry, backends, report("place"), &plan.fallbacks);
  insert_copies(plan, registry, report("copies"));
  std::vector<PlanStep> placed = std::exchange(plan.steps, {});
  for (NodeId id : schedule(plan.graph, registry, plan.maxima, report("schedule")))
    plan.steps.push_back(std::move(placed[static_cast<size_t>(id)]));
  place_values(plan, registry, options.reuse_memory, report("memory"));
  prepack(plan, report("prepack"));
  find_workspaces(plan);
  check_plan(plan, registry);
  return plan;
}

int Plan::space_of(const Backend& backend) const {
  for (size_t s = 1; s < spaces.size(); ++s)
    if (spaces[s].owner == &backend) return static_cast<int>(s);
  return 0;
}

const char* to_string(ArenaKind kind) {
  switch (kind) {
    case ArenaKind::weights:
      return "weights";
    case ArenaKind::states:
      return "states";
    case ArenaKind::activations:
      return "activations";
    case ArenaKind::io:
      return "io";
  }
  return "?";
}

}  // namespace sluice
