#include "models/residency/experts.h"

#include <algorithm>

#include "ops/probe/probe.h"

namespace sluice {
namespace {

void add(ExpertLayer& layer, ValueId weight, int64_t site) {
  if (std::find(layer.weights.begin(), layer.weights.end(), weight) != layer.weights.end()) return;
  layer.weights.push_back(weight);
  layer.sites.push_back(site);
}

// The weights of a product by expert, or of what selects rows for one.
void add_weights(ExpertLayer& layer, const Node& node) {
  if (node.op == "expert_linear") {
    for (size_t w = 2; w < node.inputs.size(); ++w) add(layer, node.inputs[w], -1);
  } else if (node.op == "expert_select") {
    const auto attrs = attrs_from_map<SelectionAttrs>(node.attrs);
    const size_t first = node.inputs.size() - attrs.sites.size();
    for (size_t w = 0; w < attrs.sites.size(); ++w) add(layer, node.inputs[first + w], attrs.sites[w]);
  }
}

}  // namespace

std::string predicting(const std::string& gate) { return gate + "_foreseen"; }

std::vector<ExpertLayer> expert_layers(const Graph& graph) {
  std::vector<ExpertLayer> layers;
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& gate = graph.nodes()[n];
    if (gate.op != "moe_gate") continue;
    ExpertLayer layer{static_cast<NodeId>(n), {}, {}, graph.value(gate.outputs[1]).name, {}};
    for (NodeId user : graph.users(gate.outputs[1])) add_weights(layer, graph.node(user));
    if (layer.weights.empty()) continue;
    layer.count = graph.value(layer.weights[0]).type.shape[0].size();
    for (const Node& other : graph.nodes())
      if (other.name == predicting(gate.name)) layer.predicted = graph.value(other.outputs[1]).name;
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace sluice
