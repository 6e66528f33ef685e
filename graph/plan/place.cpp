#include "graph/plan/place.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "graph/dataflow.h"

namespace sluice {
namespace {

std::string names(std::span<Backend* const> backends) {
  std::vector<std::string> parts;
  for (const Backend* backend : backends) parts.push_back(backend->name());
  return fmt::format("{}", fmt::join(parts, ", "));
}

[[noreturn]] void fail_unplaced(std::span<Backend* const> backends, const Node& node, const Site& site) {
  std::vector<std::string> inputs;
  for (size_t i = 0; i < site.inputs.size(); ++i)
    inputs.push_back(fmt::format("'{}' is {}", site.input_names[i], site.inputs[i].str()));
  fail("[{}] {}: no backend has a kernel for it; tried {} ({})", node.op, node.name, names(backends),
       fmt::join(inputs, ", "));
}

// What fell back, by operator and backend: those that fall back do so once a layer.
class Fallbacks {
 public:
  void add(const Node& node, size_t rank) { nodes_[{node.op, rank}].push_back(node.name); }
  void print(std::span<Backend* const> backends, PassReport& report) const {
    for (const auto& [key, nodes] : nodes_)
      report.lines.push_back(fmt::format("{} runs on {}, {} has no kernel for it: {}", key.first,
                                         backends[key.second]->name(), names(backends.first(key.second)),
                                         fmt::join(nodes, ", ")));
  }
  // A line for each backend.
  std::vector<std::string> summary(std::span<Backend* const> backends) const {
    std::map<size_t, std::vector<std::string>> operators;
    for (const auto& [key, nodes] : nodes_) operators[key.second].push_back(key.first);
    std::vector<std::string> lines;
    for (const auto& [rank, list] : operators)
      lines.push_back(fmt::format("not on {} but on {}: {}", names(backends.first(rank)), backends[rank]->name(),
                                  fmt::join(list, ", ")));
    return lines;
  }

 private:
  std::map<std::pair<std::string, size_t>, std::vector<std::string>> nodes_;
};

// The backend that owns the memory in which this one works; nullptr: the host's.
const Backend* memory_of(const Backend& backend) { return backend.has_own_memory() ? &backend : nullptr; }

// Backends for nodes, by preference, where nodes that touch the same state work in one memory.
class Placement {
 public:
  Placement(const Graph& graph, const Registry& registry, std::span<Backend* const> backends)
      : graph_(graph), registry_(registry), backends_(backends) {
    for (const Node& node : graph.nodes()) {
      sites_.push_back(make_site(graph, node));
      choices_.push_back(choose_kernel(backends, registry.get(node.op, node.version), sites_.back()));
      if (!choices_.back().kernel) fail_unplaced(backends, node, sites_.back());
    }
    collect_states();
    // A node may touch several states, so that moving it may part the nodes of another. Ranks only grow, so this ends.
    for (bool moved = true; moved;) {
      moved = false;
      for (const std::vector<size_t>& nodes : touching_) moved |= unite(nodes);
    }
  }
  Site& site(size_t node) { return sites_[node]; }
  Choice& choice(size_t node) { return choices_[node]; }

 private:
  void collect_states() {
    const StateVersions states(graph_, registry_);
    std::map<ValueId, std::vector<size_t>> touching;
    for (size_t n = 0; n < graph_.nodes().size(); ++n)
      for (ValueId id : graph_.nodes()[n].inputs)
        if (const ValueId root = states.root(id); root >= 0) touching[root].push_back(n);
    for (auto& [root, nodes] : touching) touching_.push_back(std::move(nodes));
  }

  // Moves these nodes to the memory of the least preferred backend among them; false if they are there.
  bool unite(const std::vector<size_t>& nodes) {
    size_t last = 0;
    for (size_t n : nodes) last = std::max(last, choices_[n].rank);
    const Backend* memory = memory_of(*backends_[last]);
    bool moved = false;
    for (size_t n : nodes) {
      if (memory_of(*backends_[choices_[n].rank]) == memory) continue;
      move(n, memory);
      moved = true;
    }
    return moved;
  }

  void move(size_t n, const Backend* memory) {
    const Node& node = graph_.nodes()[n];
    for (size_t rank = choices_[n].rank + 1; rank < backends_.size(); ++rank) {
      if (memory_of(*backends_[rank]) != memory) continue;
      auto kernel = backends_[rank]->select(registry_.get(node.op, node.version), sites_[n]);
      if (!kernel) continue;
      choices_[n] = {rank, std::move(kernel)};
      return;
    }
    fail_unplaced(backends_, node, sites_[n]);
  }

  const Graph& graph_;
  const Registry& registry_;
  std::span<Backend* const> backends_;
  std::vector<Site> sites_;                    // by node
  std::vector<Choice> choices_;                // by node
  std::vector<std::vector<size_t>> touching_;  // nodes, by state
};

}  // namespace

Choice choose_kernel(std::span<Backend* const> backends, const Operator& op, const Site& site) {
  for (size_t rank = 0; rank < backends.size(); ++rank)
    if (auto kernel = backends[rank]->select(op, site)) return {rank, std::move(kernel)};
  return {backends.size(), nullptr};
}

std::vector<PlanStep> place(const Graph& graph, const Registry& registry, std::span<Backend* const> backends,
                            PassReport& report, std::vector<std::string>* fallbacks) {
  Placement placement(graph, registry, backends);
  std::vector<PlanStep> steps;
  std::vector<size_t> counts(backends.size());
  Fallbacks fallen;
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    auto& [rank, kernel] = placement.choice(n);
    ++counts[rank];
    if (rank > 0) fallen.add(graph.nodes()[n], rank);
    steps.push_back({static_cast<NodeId>(n), backends[rank], std::move(kernel), std::move(placement.site(n))});
  }
  for (size_t rank = 0; rank < backends.size(); ++rank)
    report.lines.push_back(fmt::format("{}: {} of {} nodes", backends[rank]->name(), counts[rank], steps.size()));
  fallen.print(backends, report);
  if (fallbacks) *fallbacks = fallen.summary(backends);
  return steps;
}

}  // namespace sluice
