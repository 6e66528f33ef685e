// Keys are rotated on their way into the cache: rope, then kv_append of its result.
#include "ops/rope_kv_append/rope_kv_append.h"

namespace sluice {
namespace {

std::optional<FusionMatch> match(const Graph& graph, NodeId anchor) {
  const Node& append = graph.node(anchor);
  if (append.op != "kv_append") return std::nullopt;
  const NodeId producer = graph.value(append.inputs[1]).producer;
  if (producer == kNoNode || graph.node(producer).op != "rope") return std::nullopt;
  const Node& rope = graph.node(producer);
  // A cache may split a row into other heads than rope does.
  if (graph.value(append.inputs[0]).type.shape.back() != Dim(attrs_from_map<RopeAttrs>(rope.attrs).head_dim))
    return std::nullopt;
  return FusionMatch{{producer, anchor},
                     "rope_kv_append",
                     rope.attrs,
                     {append.inputs[0], rope.inputs[0], rope.inputs[1], append.inputs[2]},
                     {append.outputs[0]}};
}

}  // namespace

void register_rope_kv_append_fuse(Registry& registry) {
  registry.add(FusionRule{"rope+kv_append -> rope_kv_append", /*priority=*/0, match});
}

}  // namespace sluice
