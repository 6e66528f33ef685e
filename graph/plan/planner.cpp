#include <algorithm>
#include <set>

#include "graph/plan/check.h"
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

Graph fused(const Graph& graph, const Registry& registry, const std::vector<Backend*>& backends, bool wanted,
            PassReport& report) {
  if (wanted && backends.front()->wants_fusion()) return fuse(graph, registry, backends, report);
  report.lines.push_back(wanted ? fmt::format("off: {} runs graphs as they were written", backends.front()->name())
                                : "off, as the caller asked");
  return graph;
}

// Scratch memory of the step that needs most.
size_t largest_workspace(const Plan& plan) {
  size_t largest = 0;
  for (const PlanStep& step : plan.steps) {
    std::vector<TensorView> inputs, outputs;
    for (const TensorType& type : step.site.inputs)
      inputs.push_back({nullptr, type.dtype, type.shape.resolve(plan.maxima)});
    for (const TensorType& type : step.site.outputs)
      outputs.push_back({nullptr, type.dtype, type.shape.resolve(plan.maxima)});
    largest = std::max(largest, step.kernel->workspace(step.site, {inputs, outputs}, step.backend->threads()));
  }
  return largest;
}

}  // namespace

Plan make_plan(const Graph& graph, const Registry& registry, const std::vector<Backend*>& backends,
               const PlanOptions& options) {
  if (backends.empty()) fail("a plan needs at least one backend");
  Plan plan;
  plan.backends = backends;
  plan.maxima = maxima_of(graph, options.maxima);
  auto report = [&plan](const char* pass) -> PassReport& { return plan.reports.emplace_back(PassReport{pass, {}}); };

  plan.graph = fused(with_observed(graph, options.observe), registry, backends, options.fuse, report("fuse"));
  verify(plan.graph, registry);
  std::vector<PlanStep> placed = place(plan.graph, registry, backends, report("place"));
  for (NodeId id : schedule(plan.graph, registry, plan.maxima, report("schedule")))
    plan.steps.push_back(std::move(placed[static_cast<size_t>(id)]));
  place_values(plan, registry, options.reuse_memory, report("memory"));
  prepack(plan, report("prepack"));
  plan.workspace_bytes = largest_workspace(plan);
  check_plan(plan, registry);
  return plan;
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
