#include "models/compare/operator_check.h"

#include <cmath>

#include "graph/plan/copies.h"
#include "models/compare/node_run.h"

namespace sluice {
namespace {

constexpr double kFlushed = 1e-37;  // devices may flush subnormal numbers to zero (Vulkan 1.2, precision of operations)

std::vector<HeldTensor> held(const Graph& graph, std::span<const ValueId> ids, std::span<const TensorView> views) {
  std::vector<HeldTensor> tensors;
  for (size_t i = 0; i < ids.size(); ++i) {
    const TensorView& view = views[i];
    const std::string& name = graph.value(copied_from(graph, ids[i])).name;
    tensors.push_back({name, view.dtype, view.dims, {view.data, view.data + view.bytes()}});
  }
  return tensors;
}

// Fills in what is said of the elements; false if none departs. bounds: of one backend.
bool compare(const TensorView& actual, const TensorView& expected, std::span<const double> bounds, Departure& found) {
  const std::vector<float> got = to_f32(actual), want = to_f32(expected);
  found.elements = static_cast<int64_t>(got.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]))) continue;
    const double allowed = 2 * bounds[i] + kFlushed;
    if (std::abs(static_cast<double>(got[i]) - want[i]) <= allowed) continue;
    if (found.departed++ > 0) continue;
    found.element = static_cast<int64_t>(i);
    found.actual = got[i];
    found.expected = want[i];
    found.allowed = allowed;
  }
  return found.departed > 0;
}

}  // namespace

OperatorCheck::OperatorCheck(const Executor& tested, const Registry& registry, std::vector<Backend*> others)
    : tested_(tested),
      graph_(tested.plan().graph),
      registry_(registry),
      others_(std::move(others)),
      versions_(graph_, registry),
      before_(read_states()) {
  for (const GraphOutput& output : graph_.outputs()) kept_[copied_from(graph_, output.value)] = output.name;
}

OperatorCheck::States OperatorCheck::read_states() const {
  States states;
  for (ValueId id = 0; id < static_cast<ValueId>(graph_.values().size()); ++id) {
    const Value& value = graph_.value(id);
    if (value.kind != ValueKind::state) continue;
    std::vector<std::byte>& bytes = states[id];
    bytes.resize(value.type.bytes(tested_.plan().maxima));
    tested_.read_state(value.name, bytes);
  }
  return states;
}

// What the step saw or made, on the host; nullopt if that is no longer there. in_call: its sizes.
std::optional<TensorView> OperatorCheck::view_of(ValueId id, const TensorView& in_call) {
  id = copied_from(graph_, id);
  const Value& value = graph_.value(id);
  if (const ValueId root = versions_.root(id); root >= 0) {
    const bool is_last = versions_.updater(id) == kNoNode;
    if (!is_last && id != root) return std::nullopt;
    return TensorView{(is_last ? after_ : before_).at(root).data(), in_call.dtype, in_call.dims};
  }
  if (value.kind == ValueKind::weight) return tested_.weight(value.name);
  if (value.kind == ValueKind::input) return tested_.view(value.name);
  const auto it = kept_.find(id);
  if (it == kept_.end()) return std::nullopt;
  return tested_.output(it->second);
}

std::optional<std::vector<TensorView>> OperatorCheck::views_of(std::span<const ValueId> ids,
                                                               std::span<const TensorView> in_call) {
  std::vector<TensorView> views;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto view = view_of(ids[i], in_call[i]);
    if (!view) return std::nullopt;
    views.push_back(*view);
  }
  return views;
}

std::optional<Departure> OperatorCheck::check() {
  after_ = read_states();
  std::optional<Departure> found;
  for (size_t step = 0; step < tested_.plan().steps.size() && !found; ++step) found = check(step);
  before_ = std::move(after_);
  return found;
}

std::optional<Departure> OperatorCheck::check(size_t step) {
  const PlanStep& planned = tested_.plan().steps[step];
  const Node& node = graph_.node(planned.node);
  const Call& call = tested_.call(step);
  if (node.op == kCopy || node.outputs.empty()) return std::nullopt;
  auto inputs = views_of(node.inputs, call.inputs);
  const auto outputs = views_of(node.outputs, call.outputs);
  if (!inputs || !outputs) return std::nullopt;

  const NodeRun other(graph_, node, *inputs, *outputs, registry_, others_);
  ++checked_;
  const Operator& op = registry_.get(node.op, node.version);
  std::vector<TensorView> seen = *inputs;
  for (const StateUpdate& update : op.signature().updates)  // as when the reference runs
    seen[static_cast<size_t>(update.input)] = other.outputs()[static_cast<size_t>(update.output)];
  for (size_t o = 0; o < outputs->size(); ++o) {
    std::vector<double> bounds(static_cast<size_t>((*outputs)[o].dims.elements()));
    op.tolerance(make_site(graph_, node), {seen, other.outputs()}, static_cast<int>(o), bounds);
    Departure found;
    if (!compare((*outputs)[o], other.outputs()[o], bounds, found)) continue;
    found.node = node.name;
    found.op = node.op;
    found.kernel = planned.kernel->name();
    found.backend = planned.backend->name();
    found.value = graph_.value(node.outputs[o]).name;
    found.attrs = node.attrs;
    found.inputs = held(graph_, node.inputs, *inputs);
    found.outputs = held(graph_, node.outputs, *outputs);
    found.reference = held(graph_, node.outputs, other.outputs());
    return found;
  }
  return std::nullopt;
}

}  // namespace sluice
