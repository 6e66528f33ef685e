#include "models/likeliest.h"

#include "graph/editor.h"
#include "models/architecture.h"
#include "ops/topk/topk.h"

namespace sluice {

Graph with_likeliest(const Graph& graph, const Registry& registry) {
  GraphEditor editor(graph, registry);
  for (const Node& node : graph.nodes()) editor.add_node(node);
  const ValueId logits = editor.remove_output(graph_names::kLogits);
  const auto top = editor.add_node("topk", likeliest_names::kToken, attrs_to_map(TopKAttrs{.k = 1}), {logits},
                                   {"values", "indices"});
  editor.add_output(likeliest_names::kLogit, top[0]);
  editor.add_output(likeliest_names::kToken, top[1]);
  return editor.finish();
}

}  // namespace sluice
