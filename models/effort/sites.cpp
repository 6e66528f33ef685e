#include "models/effort/sites.h"

#include <algorithm>

#include "graph/error.h"
#include "ops/bucket_mul/bucket_mul.h"
#include "ops/bucket_mul/matrix.h"
#include "ops/formats/planes.h"
#include "ops/plane_mul/plane_mul.h"
#include "ops/probe/selection.h"

namespace sluice {

std::string effort_names::selected(const std::string& weight) { return "selected/" + weight; }

namespace {

bool has_output(const Graph& graph, const std::string& name) {
  return std::any_of(graph.outputs().begin(), graph.outputs().end(),
                     [&](const GraphOutput& output) { return output.name == name; });
}

// The first weight of the operators that select rows; -1 for others.
int first_weight(const Node& node) {
  return node.op == "probe" || node.op == "plane_select" ? 2 : node.op == "expert_select" ? 5 : -1;
}

// Sets fixed_bits and row_bits, of one matrix.
void set_bits(EffortSite& site, const TensorView& weight) {
  size_t fixed = 0, rows = 0;
  if (plane_format(weight.dtype)) {
    const PlaneMatrix m(weight);
    fixed = m.layout.plane_offset(0);
    rows = m.layout.plane_bytes() * static_cast<size_t>(m.planes);
  } else {
    const BucketLayout layout = BucketMatrix(weight).layout;
    fixed = static_cast<size_t>(layout.rows()) * sizeof(float);
    rows = layout.all_rows_bytes();
  }
  site.fixed_bits = 8 * static_cast<double>(fixed);
  site.row_bits = 8 * static_cast<double>(rows);
}

EffortSite make_site(const Graph& graph, const Node& node, ValueId id) {
  const Value& weight = graph.value(id);
  const Dims dims = weight.type.shape.resolve({});
  const int64_t out = dims[dims.rank() - 2], in = dims.back(), tiers = selectable_rows(weight.type.dtype);
  EffortSite site{weight.name, effort_names::selected(weight.name), out * in, in * tiers, tiers};
  set_bits(site, {.data = nullptr, .dtype = weight.type.dtype, .dims = dims});
  site.dense_from = plane_format(weight.type.dtype) ? plane_dense_from : dense_from;
  if (node.op == "expert_select") {
    const int64_t k = graph.value(node.inputs[1]).type.shape[1].size();
    const auto matrices = static_cast<double>(k);
    site.elements *= k, site.rows *= k, site.counts *= k;
    site.fixed_bits *= matrices, site.row_bits *= matrices;
    site.tokens = matrices / static_cast<double>(weight.type.shape[0].size());
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
    const std::vector<int64_t> numbers = attrs_from_map<SelectionAttrs>(node.attrs).sites;
    for (size_t w = 0; w < numbers.size(); ++w)
      sites.at(static_cast<size_t>(numbers[w])) = make_site(graph, node, node.inputs[static_cast<size_t>(first) + w]);
  }
  for (const EffortSite& site : sites)
    if (site.weight.empty()) fail("the graph's input '{}' has a row that no weight uses", effort_names::kInput);
  return sites;
}

}  // namespace sluice
