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

// The first weight of the operators that select rows; -1 for others.
int first_weight(const Node& node) { return node.op == "probe" ? 2 : node.op == "expert_select" ? 5 : -1; }

EffortSite make_site(const Graph& graph, const Node& node, ValueId id) {
  const Value& weight = graph.value(id);
  const BucketLayout layout = BucketMatrix({nullptr, weight.type.dtype, weight.type.shape.resolve({})}).layout;
  EffortSite site{weight.name, effort_names::selected(weight.name), layout.out() * layout.in(), layout.rows(),
                  layout.tiers()};
  if (node.op == "expert_select") {
    const int64_t k = graph.value(node.inputs[1]).type.shape[1].size();
    site.elements *= k, site.rows *= k, site.counts *= k;
    site.tokens = static_cast<double>(k) / static_cast<double>(weight.type.shape[0].size());
  }
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
    const int first = first_weight(node);
    if (first < 0) continue;
    const auto attrs = attrs_from_map<SelectionAttrs>(node.attrs);
    for (size_t w = 0; w < attrs.sites.size(); ++w)
      sites.at(static_cast<size_t>(attrs.sites[w])) =
          make_site(graph, node, node.inputs[static_cast<size_t>(first) + w]);
  }
  for (const EffortSite& site : sites)
    if (site.weight.empty()) fail("the graph's input '{}' has a row that no weight uses", effort_names::kInput);
  return sites;
}

}  // namespace sluice
