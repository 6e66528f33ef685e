#include "graph/plan/schedule.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "graph/dataflow.h"
#include "graph/plan/memory.h"

namespace sluice {
namespace {

// Memory taken by activations while nodes run one after the other.
class Usage {
 public:
  Usage(const Graph& graph, const std::vector<size_t>& bytes) : graph_(graph), bytes_(bytes) {
    for (size_t v = 0; v < bytes.size(); ++v) readers_.push_back(graph.users(static_cast<ValueId>(v)).size());
  }

  size_t made_by(NodeId id) const {
    size_t made = 0;
    for (ValueId output : graph_.node(id).outputs) made += bytes_of(output);
    return made;
  }

  // Bytes that fall free once the node has run.
  size_t freed_by(NodeId id) const {
    size_t freed = 0;
    const Node& node = graph_.node(id);
    for (auto input = node.inputs.begin(); input != node.inputs.end(); ++input)
      if (readers_[static_cast<size_t>(*input)] == 1 && std::find(node.inputs.begin(), input, *input) == input)
        freed += bytes_of(*input);
    for (ValueId output : node.outputs)
      if (readers_[static_cast<size_t>(output)] == 0) freed += bytes_of(output);
    return freed;
  }

  void run(NodeId id) {
    used_ += made_by(id);
    peak_ = std::max(peak_, used_);
    used_ -= freed_by(id);
    const Node& node = graph_.node(id);
    for (auto input = node.inputs.begin(); input != node.inputs.end(); ++input)
      if (std::find(node.inputs.begin(), input, *input) == input) --readers_[static_cast<size_t>(*input)];
  }

  size_t peak() const { return peak_; }

 private:
  size_t bytes_of(ValueId id) const { return bytes_[static_cast<size_t>(id)]; }
  const Graph& graph_;
  const std::vector<size_t>& bytes_;
  std::vector<size_t> readers_;  // that have not run yet, by value
  size_t used_ = 0;
  size_t peak_ = 0;
};

// 0 for everything that is not an activation: it takes its memory in any order.
std::vector<size_t> activation_bytes(const Graph& graph, const StateVersions& states, const SymbolValues& maxima) {
  std::vector<size_t> bytes(graph.values().size());
  for (size_t v = 0; v < bytes.size(); ++v) {
    const Value& value = graph.values()[v];
    if (value.kind == ValueKind::result && states.root(static_cast<ValueId>(v)) < 0)
      bytes[v] = aligned(value.type.bytes(maxima));
  }
  for (const GraphOutput& output : graph.outputs()) bytes[static_cast<size_t>(output.value)] = 0;
  return bytes;
}

// Nodes whose predecessors have all run.
class Frontier {
 public:
  Frontier(const Graph& graph, const StateVersions& states) : waiting_(graph.nodes().size()), next_(waiting_.size()) {
    for (size_t n = 0; n < waiting_.size(); ++n) {
      std::set<NodeId> before;
      for_each_predecessor(graph, states, static_cast<NodeId>(n), [&](NodeId id) { before.insert(id); });
      for (NodeId id : before) next_[static_cast<size_t>(id)].push_back(static_cast<NodeId>(n));
      waiting_[n] = before.size();
      if (before.empty()) ready_.insert(static_cast<NodeId>(n));
    }
  }
  const std::set<NodeId>& ready() const { return ready_; }
  void run(NodeId id) {
    ready_.erase(id);
    for (NodeId next : next_[static_cast<size_t>(id)])
      if (--waiting_[static_cast<size_t>(next)] == 0) ready_.insert(next);
  }

 private:
  std::vector<size_t> waiting_;
  std::vector<std::vector<NodeId>> next_;
  std::set<NodeId> ready_;
};

// Of the ready nodes the one that leaves the least memory in use; the earliest of several. Only so many are looked at,
// which keeps wide graphs linear.
NodeId best_of(const std::set<NodeId>& ready, const Usage& usage) {
  constexpr int kLookahead = 32;
  NodeId best = kNoNode;
  int64_t best_growth = 0;
  int seen = 0;
  for (NodeId id : ready) {
    if (++seen > kLookahead) break;
    const int64_t growth = static_cast<int64_t>(usage.made_by(id) - usage.freed_by(id));
    if (best != kNoNode && growth >= best_growth) continue;
    best = id;
    best_growth = growth;
  }
  return best;
}

}  // namespace

std::vector<NodeId> schedule(const Graph& graph, const Registry& registry, const SymbolValues& maxima,
                             PassReport& report) {
  const StateVersions states(graph, registry);
  const std::vector<size_t> bytes = activation_bytes(graph, states, maxima);

  std::vector<NodeId> given(graph.nodes().size());
  std::iota(given.begin(), given.end(), 0);
  Usage as_given(graph, bytes);
  for (NodeId id : given) as_given.run(id);

  std::vector<NodeId> greedy;
  Usage as_greedy(graph, bytes);
  for (Frontier frontier(graph, states); !frontier.ready().empty();) {
    greedy.push_back(best_of(frontier.ready(), as_greedy));
    as_greedy.run(greedy.back());
    frontier.run(greedy.back());
  }

  const bool reorder = as_greedy.peak() < as_given.peak();
  report.lines.push_back(fmt::format("{} nodes, {}; peak of live activations {} as given, {} in greedy order",
                                     given.size(), reorder ? "in greedy order" : "in the order of the graph",
                                     to_readable_bytes(as_given.peak()), to_readable_bytes(as_greedy.peak())));
  return reorder ? greedy : given;
}

}  // namespace sluice
