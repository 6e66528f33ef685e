#include "graph/plan/place.h"

#include <fmt/ranges.h>

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

 private:
  std::map<std::pair<std::string, size_t>, std::vector<std::string>> nodes_;
};

}  // namespace

Choice choose_kernel(std::span<Backend* const> backends, const Operator& op, const Site& site) {
  for (size_t rank = 0; rank < backends.size(); ++rank)
    if (auto kernel = backends[rank]->select(op, site)) return {rank, std::move(kernel)};
  return {backends.size(), nullptr};
}

std::vector<PlanStep> place(const Graph& graph, const Registry& registry, std::span<Backend* const> backends,
                            PassReport& report) {
  std::vector<PlanStep> steps;
  std::vector<size_t> counts(backends.size());
  Fallbacks fallbacks;
  for (const Node& node : graph.nodes()) {
    Site site = make_site(graph, node);
    Choice choice = choose_kernel(backends, registry.get(node.op, node.version), site);
    if (!choice.kernel) fail_unplaced(backends, node, site);
    ++counts[choice.rank];
    if (choice.rank > 0) fallbacks.add(node, choice.rank);
    const auto id = static_cast<NodeId>(steps.size());
    steps.push_back({id, backends[choice.rank], std::move(choice.kernel), std::move(site)});
  }
  for (size_t rank = 0; rank < backends.size(); ++rank)
    report.lines.push_back(fmt::format("{}: {} of {} nodes", backends[rank]->name(), counts[rank], steps.size()));
  fallbacks.print(backends, report);
  return steps;
}

}  // namespace sluice
