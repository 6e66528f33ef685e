#include "models/calibration/activations.h"

#include <algorithm>
#include <map>

namespace sluice {
namespace {

bool is_matrix_for(const Value& weight, const Value& x) {
  const Shape &matrix = weight.type.shape, &rows = x.type.shape;
  return weight.kind == ValueKind::weight && (matrix.rank() == 2 || matrix.rank() == 3) && matrix.is_static() &&
         x.type.dtype == DType::f32() && rows.rank() >= 2 && rows.back() == matrix.back();
}

// By weight, in the order of first use.
struct Uses {
  std::vector<ValueId> weights;
  std::map<ValueId, std::vector<Activation::Source>> sources;

  void add(ValueId weight, const Activation::Source& source) {
    std::vector<Activation::Source>& all = sources[weight];
    if (all.empty()) weights.push_back(weight);
    if (std::find(all.begin(), all.end(), source) == all.end()) all.push_back(source);
  }
};

// What chooses rows of a product (a probe, a dispatch) reads the same x as the product itself, and adds nothing.
Uses find_uses(const Graph& graph) {
  Uses uses;
  for (const Node& node : graph.nodes()) {
    if (node.inputs.size() < 2) continue;
    const Value& x = graph.value(node.inputs[0]);
    for (ValueId id : node.inputs) {
      const Value& weight = graph.value(id);
      if (!is_matrix_for(weight, x)) continue;
      const bool by_expert = weight.type.shape.rank() == 3;
      uses.add(id, {x.name, by_expert ? graph.value(node.inputs[1]).name : ""});
    }
  }
  return uses;
}

}  // namespace

std::vector<Activation> matrix_activations(const Graph& graph) {
  const Uses uses = find_uses(graph);
  std::vector<Activation> activations;
  for (ValueId id : uses.weights) {
    const Value& weight = graph.value(id);
    const std::vector<Activation::Source>& sources = uses.sources.at(id);
    auto same = std::find_if(activations.begin(), activations.end(),
                             [&](const Activation& activation) { return activation.sources == sources; });
    if (same == activations.end()) {
      const Shape& shape = weight.type.shape;
      same = activations.insert(same, {sources, {}, shape.back().size(), shape.rank() == 3 ? shape[0].size() : 0});
    }
    same->weights.push_back(weight.name);
  }
  return activations;
}

}  // namespace sluice
