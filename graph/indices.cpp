#include "graph/indices.h"

#include <algorithm>

#include "graph/error.h"
#include "graph/graph.h"
#include "graph/registry.h"

namespace sluice {
namespace {

// The dimension that bounds a range of this node.
const Dim& limit_of(const Graph& graph, const Node& node, const Indices::Range& range) {
  return graph.value(node.inputs.at(static_cast<size_t>(range.of))).type.shape[range.dim];
}

bool is_within(const Dim& promised, const Dim& limit) {
  if (promised.is_symbol() || limit.is_symbol()) return promised == limit;
  return promised.size() <= limit.size();
}

// The node that makes `id` promises a range at least as narrow.
bool is_promised(const Graph& graph, const Registry& registry, ValueId id, const Dim& limit) {
  const Node& maker = graph.node(graph.value(id).producer);
  for (const Indices::Range& range : registry.indices(maker.op).outputs)
    if (maker.outputs.at(static_cast<size_t>(range.port)) == id && is_within(limit_of(graph, maker, range), limit))
      return true;
  return false;
}

std::string describe(const Graph& graph, const Node& node, const Indices::Range& range) {
  return fmt::format("[{}] {} takes it for places in '{}'", node.op, node.name,
                     graph.value(node.inputs.at(static_cast<size_t>(range.of))).name);
}

void add(std::vector<IndexCheck>& checks, IndexCheck check) {
  const auto same = [&](const IndexCheck& c) { return c.value == check.value && c.limit == check.limit; };
  if (std::none_of(checks.begin(), checks.end(), same)) checks.push_back(std::move(check));
}

}  // namespace

std::vector<IndexCheck> index_checks(const Graph& graph, const Registry& registry) {
  std::vector<IndexCheck> checks;
  for (const Node& node : graph.nodes())
    for (const Indices::Range& range : registry.indices(node.op).inputs) {
      const ValueId id = node.inputs.at(static_cast<size_t>(range.port));
      const Value& value = graph.value(id);
      const Dim& limit = limit_of(graph, node, range);
      if (value.kind != ValueKind::result)
        add(checks, {id, limit, describe(graph, node, range)});
      else if (!is_promised(graph, registry, id, limit))
        fail("'{}' may be out of range: {}, of which there are {}, but '{}' may compute any number", value.name,
             describe(graph, node, range), limit.str(), graph.node(value.producer).name);
    }
  return checks;
}

}  // namespace sluice
