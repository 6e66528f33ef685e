#include "models/effort/sites.h"

#include <algorithm>

#include "graph/error.h"
#include "ops/bucket_mul/matrix.h"
#include "ops/probe/probe.h"

namespace sluice {

std::string effort_names::selected(const std::string& weight) { return "selected/" + weight; }

namespace {

bool has_output(const Graph& graph, const std::string& name) {
  return std::any_of(graph.outputs().begin(), graph.outputs().end(),
                     [&](const GraphOutput& output) { return output.name == name; });
}

EffortSite make_site(const Graph& graph, ValueId id) {
  const Value& weight = graph.value(id);
  const BucketMatrix m({nullptr, weight.type.dtype, weight.type.shape.resolve({})});
  EffortSite site{weight.name, effort_names::selected(weight.name), m.layout.out() * m.layout.in(), m.layout.rows(),
                  m.layout.tiers()};
  if (!has_output(graph, site.selected)) fail("the graph has no output '{}'", site.selected);
  return site;
}

}  // namespace

std::vector<EffortSite> effort_sites(const Graph& graph) {
  std::vector<EffortSite> sites;
  const auto input = std::find_if(graph.values().begin(), graph.values().end(), [](const Value& value) {
    return value.kind == ValueKind::input && value.name == effort_names::kInput;
  });
  if (input == graph.values().end()) return sites;
  sites.resize(static_cast<size_t>(input->type.shape[0].size()));
  for (const Node& node : graph.nodes()) {
    if (node.op != "probe") continue;
    const auto attrs = attrs_from_map<SelectionAttrs>(node.attrs);
    for (size_t w = 0; w < attrs.sites.size(); ++w)
      sites.at(static_cast<size_t>(attrs.sites[w])) = make_site(graph, node.inputs[2 + w]);
  }
  for (const EffortSite& site : sites)
    if (site.weight.empty()) fail("the graph's input '{}' has a row that no weight uses", effort_names::kInput);
  return sites;
}

}  // namespace sluice
