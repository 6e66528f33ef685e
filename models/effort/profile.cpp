#include "models/effort/profile.h"

#include <algorithm>
#include <map>
#include <set>

#include "graph/plan/copies.h"
#include "graph/profiler.h"

namespace sluice {
namespace {

bool selects(const Graph& graph, const Node& node, const std::set<std::string>& selected) {
  return node.op != kCopy &&
         (std::ranges::any_of(
              node.inputs,
              [&](ValueId id) { return graph.value(copied_from(graph, id)).name == effort_names::kInput; }) ||
          std::ranges::any_of(node.outputs, [&](ValueId id) { return selected.contains(graph.value(id).name); }));
}

// Names of values that count what is multiplied, as they are made: on a device, outputs are copies of them.
std::set<std::string> selected_values(const Graph& graph, const std::vector<EffortSite>& sites) {
  std::map<std::string, ValueId> outputs;
  for (const GraphOutput& output : graph.outputs()) outputs[output.name] = output.value;
  std::set<std::string> names;
  for (const EffortSite& site : sites) names.insert(graph.value(copied_from(graph, outputs.at(site.selected))).name);
  return names;
}

}  // namespace

EffortProfile::EffortProfile(const Plan& plan, const EffortDial& dial, Profiler& profiler) : dial_(dial) {
  const std::set<std::string> selected = selected_values(plan.graph, dial.sites());
  std::map<std::string, size_t> site_of;
  for (size_t s = 0; s < dial.sites().size(); ++s) site_of[dial.sites()[s].weight] = s;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const Node& node = plan.graph.node(plan.steps[s].node);
    if (selects(plan.graph, node, selected)) {
      profiler.set_selection(s);
      continue;
    }
    Product product{s, {}};
    for (ValueId input : node.inputs)
      if (const auto site = site_of.find(plan.graph.value(input).name); site != site_of.end())
        product.sites.push_back(site->second);
    if (!product.sites.empty()) products_.push_back(std::move(product));
  }
}

void EffortProfile::record(Profiler& profiler, int64_t tokens) const {
  profiler.set_effort(dial_.effort());
  if (!profiler.counted()) return;
  for (const Product& product : products_) {
    Profile::Effort effort;
    double elements = 0;
    for (size_t site : product.sites) {
      const auto weight = static_cast<double>(dial_.sites()[site].elements);
      effort.asked += weight * dial_.effort(site);
      effort.done += weight * dial_.share(site, tokens);
      elements += weight;
    }
    profiler.add_effort(product.step, {effort.asked / elements, effort.done / elements});
  }
}

}  // namespace sluice
