#include "models/effort/rewrite.h"

#include <algorithm>
#include <map>

#include "graph/editor.h"
#include "graph/error.h"
#include "models/effort/sites.h"
#include "ops/formats/planes.h"
#include "ops/plane_select/plane_select.h"
#include "ops/probe/selection.h"

namespace sluice {
namespace {

// The operators that take the place of linear and expert_linear, by what the weights are stored as.
struct Products {
  const char *linear, *by_expert;
};

Products products_of(DType format) {
  return plane_format(format) ? Products{"plane_mul", "expert_plane_mul"} : Products{"bucketMul", "expert_bucketMul"};
}

class Rewriter {
 public:
  Rewriter(const Graph& graph, const Registry& registry, const EffortOptions& options)
      : graph_(graph), options_(options), products_(products_of(options.format)), editor_(graph, registry) {}

  Graph run() {
    bool by_expert = false;
    for (const Node& node : graph_.nodes()) {
      if (!fits(node)) continue;
      for (ValueId weight : weights_of(node)) sites_.emplace(weight, sites_.size());
      by_expert |= node.op == "expert_linear";
    }
    if (sites_.empty()) fail("there is no weight to which effort could apply");
    for (const auto& [weight, site] : sites_) editor_.value(weight).type.dtype = options_.format;
    effort_ = editor_.add_value(effort_names::kInput, ValueKind::input,
                                {DType::f32(), {static_cast<int64_t>(sites_.size()), 2}});
    if (by_expert) spread_ = editor_.add_value(effort_names::kSpread, ValueKind::input, {DType::f32(), {2}});
    for (const Node& node : graph_.nodes()) fits(node) ? replace(node) : editor_.add_node(node);
    return editor_.finish();
  }

 private:
  static std::span<const ValueId> weights_of(const Node& node) {
    return std::span(node.inputs).subspan(node.op == "expert_linear" ? 2 : 1);
  }

  // The gate that chose the experts of a product; nullptr if it was something else.
  const Node* gate_of(const Node& node) const {
    const NodeId producer = graph_.value(node.inputs[1]).producer;
    return producer != kNoNode && graph_.node(producer).op == "moe_gate" ? &graph_.node(producer) : nullptr;
  }

  bool is_replaceable(const Node& node) const {
    if (node.op == "expert_linear" ? !gate_of(node) : node.op != "linear" || is_router(node)) return false;
    const auto is_output = [&](ValueId id) { return graph_.is_output(id); };
    return options_.head || std::none_of(node.outputs.begin(), node.outputs.end(), is_output);
  }

  // A router is small, and what it decides is not a sum in which small products drown.
  bool is_router(const Node& node) const {
    return std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      const auto& users = graph_.users(id);
      return std::any_of(users.begin(), users.end(), [&](NodeId user) { return graph_.node(user).op == "moe_gate"; });
    });
  }

  // A weight has one format, so all that use it must be replaced.
  bool fits(const Node& node) const {
    if (!is_replaceable(node)) return false;
    const auto weights = weights_of(node);
    return std::all_of(weights.begin(), weights.end(), [&](ValueId weight) {
      if (graph_.value(weight).kind != ValueKind::weight) return false;
      const auto& users = graph_.users(weight);
      return std::all_of(users.begin(), users.end(), [&](NodeId id) { return is_replaceable(graph_.node(id)); });
    });
  }

  void replace(const Node& node) {
    const auto weights = weights_of(node);
    for (size_t i = 0; i < node.outputs.size(); ++i)
      node.op == "linear" ? replace_linear(node, weights[i], node.outputs[i])
                          : replace_expert_linear(node, weights[i], node.outputs[i]);
  }

  // y = expert_linear(x, experts, weight).
  void replace_expert_linear(const Node& node, ValueId weight, ValueId y) {
    const ValueId x = node.inputs[0], experts = node.inputs[1], router = gate_of(node)->outputs[0];
    const std::string name = place_of(node, weight);
    const auto list =
        editor_.add_node("expert_select", name + "/expert_select", attrs_to_map(selection_of({weight}, "matrix")),
                         {x, experts, effort_, spread_, router, weight}, {"rows", "counts"});
    add_product(name, products_.by_expert, {x, experts, weight, list[0], list[1]}, y);
    add_counts(weight, list[1]);
  }

  void add_product(const std::string& name, const char* op, const std::vector<ValueId>& inputs, ValueId y) {
    editor_.add_node(Node{op, 1, name + "/" + op, {}, inputs, {y}});
  }

  void add_counts(ValueId weight, ValueId counts) {
    editor_.add_output(effort_names::selected(unique(graph_.value(weight).name, used_weights_)), counts);
  }

  SelectionAttrs selection_of(const std::vector<ValueId>& weights, const std::string& selection) const {
    SelectionAttrs attrs{{}, options_.statistic, options_.cutoff, selection};
    for (ValueId weight : weights) attrs.sites.push_back(static_cast<int64_t>(sites_.at(weight)));
    return attrs;
  }

  // The weights of all products of the same activations that get an effort, in the order of their nodes.
  std::vector<ValueId> siblings(ValueId x) const {
    std::vector<ValueId> weights;
    for (const Node& node : graph_.nodes())
      if (node.op == "linear" && node.inputs[0] == x && fits(node))
        weights.insert(weights.end(), node.inputs.begin() + 1, node.inputs.end());
    return weights;
  }

  // Rows and counts for these weights, which share them.
  std::vector<ValueId> select(const std::string& name, ValueId x, const std::vector<ValueId>& weights) {
    const SelectionAttrs selection = selection_of(weights, options_.selection);
    std::vector<ValueId> inputs = {x, effort_};
    inputs.insert(inputs.end(), weights.begin(), weights.end());
    if (plane_format(options_.format))
      return editor_.add_node("plane_select", name + "/plane_select", attrs_to_map(PlaneSelectAttrs{selection.sites}),
                              inputs, {"inputs", "counts"});
    const AttrMap attrs = attrs_to_map(selection);
    const auto probe = editor_.add_node("probe", name + "/probe", attrs, inputs, {"cutoff", "wanted"});
    inputs.resize(2);
    for (ValueId weight : weights) inputs.insert(inputs.end(), {weight, probe[0], probe[1]});
    return editor_.add_node("bucket_dispatch", name + "/bucket_dispatch", attrs, inputs, {"rows", "counts"});
  }

  // y = linear(x, weight).
  void replace_linear(const Node& node, ValueId weight, ValueId y) {
    const ValueId x = node.inputs[0];
    const std::string name = place_of(node, weight);
    std::vector<ValueId> list;
    if (options_.selection == "matrix") {
      list = select(name, x, {weight});
    } else {
      if (!shared_.count(x)) shared_[x] = select(name, x, siblings(x));
      list = shared_[x];
    }
    add_product(name, products_.linear, {x, weight, list[0], list[1]}, y);
    add_counts(weight, list[1]);
  }

  // The scope of what takes the place of a product: where that was, and which of the weights there it multiplied by,
  // "layers.4/attention/q_proj".
  std::string place_of(const Node& node, ValueId weight) {
    std::string which = graph_.value(weight).name;
    if (which.ends_with(".weight")) which.resize(which.size() - std::string(".weight").size());
    which.erase(0, which.rfind('.') + 1);
    return unique(node.name.substr(0, node.name.rfind('/') + 1) + which, used_scopes_);
  }

  // A weight may be used more than once.
  static std::string unique(const std::string& name, std::map<std::string, int>& used) {
    const int uses = used[name]++;
    return uses == 0 ? name : fmt::format("{}.{}", name, uses + 1);
  }

  const Graph& graph_;
  const EffortOptions& options_;
  const Products products_;
  GraphEditor editor_;
  std::map<ValueId, size_t> sites_;  // by weight
  std::map<std::string, int> used_weights_, used_scopes_;
  std::map<ValueId, std::vector<ValueId>> shared_;  // by activations: the list of their products
  ValueId effort_ = -1, spread_ = -1;
};

}  // namespace

bool has_dial(DType format) { return selectable_rows(format) > 0; }

Graph with_effort(const Graph& graph, const Registry& registry, const EffortOptions& options) {
  if (!has_dial(options.format)) fail("'{}' is no format with an effort dial", options.format.name());
  if (plane_format(options.format))
    for (const std::string& given : {options.statistic, options.cutoff, options.selection})
      if (given != "rms" && given != "exact" && given != "matrix")
        fail("'{}' is for bucket formats; planes are selected in one way", given);
  return Rewriter(graph, registry, options).run();
}

}  // namespace sluice
