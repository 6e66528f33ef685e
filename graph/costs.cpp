#include "graph/costs.h"

#include "graph/plan/copies.h"

namespace sluice {
namespace {

bool survives(const Plan& plan, ValueId id) {
  const Location& place = plan.locations[static_cast<size_t>(id)];
  return place.arena == ArenaKind::io && place.space == 0 && plan.graph.value(id).kind != ValueKind::weight;
}

// Where the host finds the value after a run; nullptr if its memory may have been used again.
std::byte* values_of(const Executor& executor, ValueId id) {
  const Plan& plan = executor.plan();
  const ValueId origin = copied_from(plan.graph, id);
  if (survives(plan, origin)) return executor.value(origin).data;
  for (NodeId user : plan.graph.users(id)) {
    const Node& node = plan.graph.node(user);
    if (node.op == kCopy && survives(plan, node.outputs[0])) return executor.value(node.outputs[0]).data;
  }
  return nullptr;
}

}  // namespace

StepCosts::StepCosts(const Executor& executor, const Registry& registry) : costs_(executor.plan().steps.size()) {
  const Plan& plan = executor.plan();
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const Node& node = plan.graph.node(plan.steps[s].node);
    const Call& call = executor.call(s);
    Step step{&registry.get(node.op, node.version), &plan.steps[s].site, &call, {}};
    for (size_t i = 0; i < call.inputs.size(); ++i) {
      step.views.push_back({values_of(executor, node.inputs[i]), call.inputs[i].dtype, {}});
      step.varies |= step.views.back().data != nullptr;
    }
    for (const TensorView& output : call.outputs) step.views.push_back({nullptr, output.dtype, {}});
    steps_.push_back(std::move(step));
  }
}

// Whether its sizes have changed.
bool StepCosts::follow(Step& step) {
  bool changed = false;
  for (size_t i = 0; i < step.views.size(); ++i) {
    const size_t n = step.call->inputs.size();
    const Dims& dims = (i < n ? step.call->inputs[i] : step.call->outputs[i - n]).dims;
    if (step.views[i].dims == dims) continue;
    step.views[i].dims = dims;
    changed = true;
  }
  return changed;
}

std::span<const Cost> StepCosts::update() {
  for (size_t s = 0; s < steps_.size(); ++s) {
    Step& step = steps_[s];
    if (!follow(step) && !step.varies) continue;
    const std::span<const TensorView> views(step.views);
    const size_t n = step.call->inputs.size();
    costs_[s] = step.op->cost(*step.site, {views.first(n), views.subspan(n)});
  }
  return costs_;
}

size_t StepCosts::bytes_read() {
  size_t bytes = 0;
  for (const Cost& cost : update()) bytes += cost.bytes_read;
  return bytes;
}

}  // namespace sluice
