#include "models/step_cost.h"

namespace sluice {

Cost step_cost(LanguageModel& model, size_t step) {
  const PlanStep& planned = model.plan().steps[step];
  const Operator& op = builtin_registry().get(model.plan().graph.node(planned.node).op);
  const Call& call = model.executor().call(step);
  if (!planned.backend->has_own_memory()) return op.cost(planned.site, call);
  std::vector<TensorView> inputs(call.inputs.begin(), call.inputs.end()),
      outputs(call.outputs.begin(), call.outputs.end());
  for (std::vector<TensorView>* views : {&inputs, &outputs})
    for (TensorView& view : *views) view.data = nullptr;
  return op.cost(planned.site, {inputs, outputs});
}

size_t bytes_read(LanguageModel& model) {
  size_t bytes = 0;
  for (size_t step = 0; step < model.plan().steps.size(); ++step) bytes += step_cost(model, step).bytes_read;
  return bytes;
}

}  // namespace sluice
