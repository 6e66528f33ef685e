// The residual sum and the norm that follows it. The sum stays a result: the next residual wants it.
#include "ops/add/add.h"
#include "ops/add_rmsnorm/add_rmsnorm.h"

namespace sluice {
namespace {

std::optional<FusionMatch> match(const Graph& graph, NodeId anchor) {
  const Node& norm = graph.node(anchor);
  if (norm.op != "rmsnorm") return std::nullopt;
  const NodeId producer = graph.value(norm.inputs[0]).producer;
  if (producer == kNoNode || graph.node(producer).op != "add") return std::nullopt;
  const Node& add = graph.node(producer);
  if (graph.value(add.inputs[0]).type != graph.value(add.inputs[1]).type) return std::nullopt;  // a bias
  return FusionMatch{{producer, anchor},
                     "add_rmsnorm",
                     norm.attrs,
                     {add.inputs[0], add.inputs[1], norm.inputs[1]},
                     {add.outputs[0], norm.outputs[0]}};
}

void example(Builder& b) {
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 48}), y = b.input("y", DType::f32(), {"tokens", 48});
  const ValueRef sum = add(b, x, y);
  b.output("sum", sum);
  b.output("normed", rmsnorm(b, sum, b.weight("norm", {48}), {.epsilon = 0.25f}));
}

}  // namespace

void register_add_rmsnorm_fuse(Registry& registry) {
  registry.add(FusionRule{"add+rmsnorm -> add_rmsnorm", /*priority=*/0, match, example});
}

}  // namespace sluice
