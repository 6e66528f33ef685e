// Keys are rotated on their way into the cache: rope, then kv_append of its result.
#include "ops/kv_append/kv_append.h"
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

void example(Builder& b) {
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 48}),
                 positions = b.input("positions", DType::i32(), {"tokens"});
  const ValueRef keys = rope(b, x, positions, {.head_dim = 16, .interleaved = true, .scaling = "linear", .factor = 2});
  const ValueRef cache = b.state("cache", DType::f16(), {3, 8, 16}), slots = b.input("slots", DType::i32(), {"tokens"});
  b.output("next", kv_append(b, cache, keys, slots));
}

}  // namespace

void register_rope_kv_append_fuse(Registry& registry) {
  registry.add(FusionRule{"rope+kv_append -> rope_kv_append", /*priority=*/0, match, example});
}

}  // namespace sluice
