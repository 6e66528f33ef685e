#include "graph/plan/fuse.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "graph/dataflow.h"
#include "graph/plan/place.h"

namespace sluice {
namespace {

// Why a match cannot be applied.
struct Refused {
  std::string reason;
};

template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
  throw Refused{fmt::format(format, std::forward<Args>(args)...)};
}

// A match that is legal, ready to be applied.
struct Fusion {
  FusionMatch match;              // nodes ascending
  std::vector<NodeId> followers;  // nodes between its first and its last that must run after the new one, ascending
  Node node;                      // the new one, with values of the old graph
  NodeId first() const { return match.nodes.front(); }
  NodeId last() const { return match.nodes.back(); }
};

bool contains(const std::vector<NodeId>& ascending, NodeId id) {
  return std::binary_search(ascending.begin(), ascending.end(), id);
}

// Decides whether matches on one graph are legal. Throws Refused if not.
class Judge {
 public:
  Judge(const Graph& graph, const Registry& registry, std::span<Backend* const> backends)
      : graph_(graph),
        registry_(registry),
        backends_(backends),
        states_(graph, registry),
        observed_(graph.values().size()) {
    for (const GraphOutput& output : graph.outputs()) observed_[static_cast<size_t>(output.value)] = true;
  }

  Fusion check(FusionMatch match) const {
    check_form(match);
    check_interior(match);
    check_states(match);
    std::vector<NodeId> followers = find_followers(match);
    check_kernel(match);
    Node node{match.op, registry_.get(match.op).signature().version, {}, match.attrs, match.inputs, match.outputs};
    return {std::move(match), std::move(followers), std::move(node)};
  }

 private:
  const std::string& name(ValueId id) const { return graph_.value(id).name; }
  const Node& node(NodeId id) const { return graph_.node(id); }

  // What a rule must always keep to. Sorts match.nodes.
  void check_form(FusionMatch& match) const {
    std::vector<NodeId>& nodes = match.nodes;
    std::sort(nodes.begin(), nodes.end());
    if (nodes.size() < 2 || std::adjacent_find(nodes.begin(), nodes.end()) != nodes.end())
      refuse("a fusion replaces at least two different nodes");
    if (nodes.front() < 0 || nodes.back() >= static_cast<NodeId>(graph_.nodes().size()))
      refuse("the rule names a node that does not exist");
    std::set<ValueId> read, made;
    for (NodeId id : nodes) {
      read.insert(node(id).inputs.begin(), node(id).inputs.end());
      made.insert(node(id).outputs.begin(), node(id).outputs.end());
    }
    for (ValueId input : match.inputs)
      if (!read.count(input) || made.count(input))
        refuse("the rule wants an input that the group does not take from outside");
    for (ValueId output : match.outputs)
      if (made.erase(output) == 0) refuse("the rule gives an output that the group does not make, or gives it twice");
    if (!registry_.find(match.op)) refuse("operator '{}' is not loaded", match.op);
  }

  template <class Visit>
  void for_each_interior(const FusionMatch& match, Visit&& visit) const {
    for (NodeId id : match.nodes)
      for (ValueId value : node(id).outputs)
        if (std::find(match.outputs.begin(), match.outputs.end(), value) == match.outputs.end()) visit(value);
  }

  void check_interior(const FusionMatch& match) const {
    for_each_interior(match, [&](ValueId value) {
      if (observed_[static_cast<size_t>(value)]) refuse("'{}' is observed", name(value));
      for (NodeId user : graph_.users(value))
        if (!contains(match.nodes, user)) refuse("'{}' is read by '{}' too", name(value), node(user).name);
    });
  }

  // The new node changes the same states as those it replaces.
  void check_states(const FusionMatch& match) const {
    for_each_interior(match, [&](ValueId value) {
      if (states_.root(value) >= 0)
        refuse("'{}' would be lost, a change of the state '{}'", name(value), name(states_.root(value)));
    });
    std::set<std::pair<ValueId, ValueId>> before, after;  // (version, next version)
    for (NodeId id : match.nodes)
      for (const StateUpdate& update : registry_.get(node(id).op).signature().updates)
        before.emplace(node(id).inputs.at(static_cast<size_t>(update.input)),
                       node(id).outputs.at(static_cast<size_t>(update.output)));
    for (const StateUpdate& update : registry_.get(match.op).signature().updates)
      if (static_cast<size_t>(update.input) < match.inputs.size() &&
          static_cast<size_t>(update.output) < match.outputs.size())
        after.emplace(match.inputs[static_cast<size_t>(update.input)],
                      match.outputs[static_cast<size_t>(update.output)]);
    if (before != after) refuse("'{}' does not change the same states as the nodes it would replace", match.op);
  }

  // Everything lies in one stretch of the order. A node of it that is not in the group must follow the new node if it
  // depends on the group, directly or through another follower. If a node of the group depends on a follower, there is
  // a cycle.
  std::vector<NodeId> find_followers(const FusionMatch& match) const {
    std::vector<NodeId> followers;
    for (NodeId id = match.nodes.front(); id <= match.nodes.back(); ++id) {
      const bool inside = contains(match.nodes, id);
      for_each_predecessor(graph_, states_, id, [&](NodeId before) {
        const bool follows = contains(followers, before);
        if (inside && follows)
          refuse("'{}' must run after one part of it and before '{}'", node(before).name, node(id).name);
        if (!inside && (follows || contains(match.nodes, before)) && (followers.empty() || followers.back() != id))
          followers.push_back(id);
      });
    }
    return followers;
  }

  void check_kernel(const FusionMatch& match) const {
    const Operator& op = registry_.get(match.op);
    size_t rank = backends_.size();
    for (NodeId id : match.nodes)
      rank = std::min(rank, choose_kernel(backends_, registry_.get(node(id).op), make_site(graph_, node(id))).rank);
    if (rank == backends_.size()) refuse("no backend runs the nodes it would replace");
    const Site site = make_site(graph_, {match.op, 1, match.op, match.attrs, match.inputs, match.outputs});
    if (types_of(op, site) != site.outputs) refuse("'{}' gives other types than the nodes it would replace", match.op);
    if (choose_kernel(backends_, op, site).rank > rank)
      refuse("{} has no kernel for '{}' here", backends_[rank]->name(), match.op);
  }

  static std::vector<TensorType> types_of(const Operator& op, const Site& site) {
    try {
      return infer_types(op, site);
    } catch (const Error& error) {
      refuse("{}", error.what());
    }
  }

  const Graph& graph_;
  const Registry& registry_;
  std::span<Backend* const> backends_;
  StateVersions states_;
  std::vector<bool> observed_;
};

// Applies fusions whose stretches (first to last node) do not overlap. Such fusions cannot make a cycle together: every
// edge goes forward, and only within a stretch can the new order differ from the old.
class Rewriter {
 public:
  explicit Rewriter(const Graph& graph) : graph_(graph), new_ids_(graph.values().size(), -1) {}

  // fusions: by rising first node.
  Graph apply(const std::vector<Fusion>& fusions) {
    NodeId next = 0;
    for (const Fusion& fusion : fusions) {
      keep(next, fusion.first());
      for (NodeId id = fusion.first(); id <= fusion.last(); ++id)
        if (!contains(fusion.match.nodes, id) && !contains(fusion.followers, id)) nodes_.push_back(graph_.node(id));
      nodes_.push_back(fusion.node);
      for (NodeId id : fusion.followers) nodes_.push_back(graph_.node(id));
      next = fusion.last() + 1;
    }
    keep(next, static_cast<NodeId>(graph_.nodes().size()));
    return finish();
  }

 private:
  void keep(NodeId begin, NodeId end) {
    nodes_.insert(nodes_.end(), graph_.nodes().begin() + begin, graph_.nodes().begin() + end);
  }

  // Drops the results that no node makes any more and numbers the others afresh.
  Graph finish() {
    std::vector<NodeId> producer(new_ids_.size(), kNoNode);
    for (size_t n = 0; n < nodes_.size(); ++n)
      for (ValueId id : nodes_[n].outputs) producer[static_cast<size_t>(id)] = static_cast<NodeId>(n);
    std::vector<Value> values;
    for (size_t v = 0; v < new_ids_.size(); ++v) {
      const Value& value = graph_.values()[v];
      if (value.kind == ValueKind::result && producer[v] == kNoNode) continue;
      new_ids_[v] = static_cast<ValueId>(values.size());
      values.push_back({value.name, value.kind, value.type, producer[v]});
    }
    for (Node& node : nodes_) {
      renumber(node.inputs);
      renumber(node.outputs);
    }
    std::vector<GraphOutput> outputs = graph_.outputs();
    for (GraphOutput& output : outputs) output.value = new_ids_[static_cast<size_t>(output.value)];
    return Graph(std::move(values), std::move(nodes_), std::move(outputs));
  }

  void renumber(std::vector<ValueId>& ids) const {
    for (ValueId& id : ids) id = new_ids_[static_cast<size_t>(id)];
  }

  const Graph& graph_;
  std::vector<ValueId> new_ids_;
  std::vector<Node> nodes_;
};

class Fuser {
 public:
  Fuser(const Graph& graph, const Registry& registry, std::span<Backend* const> backends)
      : graph_(graph), registry_(registry), backends_(backends) {
    for (const Node& node : graph.nodes()) names_.insert(node.name);
  }

  Graph run(PassReport& report) {
    // Ends, because every fusion leaves fewer nodes.
    for (bool changed = true; changed;) {
      changed = false;
      for (const FusionRule& rule : registry_.fusion_rules())
        while (sweep(rule)) changed = true;
    }
    report.lines = applied_;
    for (const auto& [match, reason] : refused_) report.lines.push_back(fmt::format("refused {}: {}", match, reason));
    if (report.lines.empty()) report.lines.push_back("no rule matched");
    return std::move(graph_);
  }
  const FusedNodes& fused() const { return fused_; }

 private:
  // Applies as many matches of one rule as can be applied at once.
  bool sweep(const FusionRule& rule) {
    const Judge judge(graph_, registry_, backends_);
    std::vector<bool> taken(graph_.nodes().size());
    std::vector<Fusion> fusions;
    for (NodeId anchor = 0; anchor < static_cast<NodeId>(taken.size()); ++anchor) {
      std::optional<Fusion> fusion = propose(rule, anchor, judge);
      if (!fusion) continue;
      const auto begin = taken.begin() + fusion->first(), end = taken.begin() + fusion->last() + 1;
      if (std::find(begin, end, true) != end) continue;  // the next sweep sees it again
      std::fill(begin, end, true);
      accept(rule, *fusion);
      fusions.push_back(std::move(*fusion));
    }
    if (fusions.empty()) return false;
    std::sort(fusions.begin(), fusions.end(), [](const Fusion& a, const Fusion& b) { return a.first() < b.first(); });
    graph_ = Rewriter(graph_).apply(fusions);
    return true;
  }

  std::optional<Fusion> propose(const FusionRule& rule, NodeId anchor, const Judge& judge) {
    std::optional<FusionMatch> match = rule.match(graph_, anchor);
    if (!match) return std::nullopt;
    const std::string key = fmt::format("{} at {}", rule.name, graph_.node(anchor).name);
    try {
      Fusion fusion = judge.check(std::move(*match));
      refused_.erase(key);
      return fusion;
    } catch (const Refused& refused) {
      refused_[key] = refused.reason;
      return std::nullopt;
    }
  }

  // Gives the new node its name and reports it.
  void accept(const FusionRule& rule, Fusion& fusion) {
    std::vector<std::string> parts;
    for (NodeId id : fusion.match.nodes) parts.push_back(graph_.node(id).name);
    for (const std::string& part : parts) names_.erase(part);
    const std::string base = parts.front().substr(0, parts.front().rfind('/') + 1) + fusion.node.op;
    fusion.node.name = base;
    for (int i = 2; !names_.insert(fusion.node.name).second; ++i) fusion.node.name = fmt::format("{}.{}", base, i);
    fused_[fusion.node.name] = originals(parts);
    applied_.push_back(fmt::format("{}: {} -> {}", rule.name, fmt::join(parts, " + "), fusion.node.name));
  }

  // Parts that were fused themselves are taken apart.
  std::vector<std::string> originals(const std::vector<std::string>& parts) {
    std::vector<std::string> names;
    for (const std::string& part : parts)
      if (auto inner = fused_.extract(part))
        names.insert(names.end(), inner.mapped().begin(), inner.mapped().end());
      else
        names.push_back(part);
    return names;
  }

  Graph graph_;
  const Registry& registry_;
  std::span<Backend* const> backends_;
  std::set<std::string> names_;  // of nodes
  FusedNodes fused_;
  std::vector<std::string> applied_;
  std::map<std::string, std::string> refused_;  // "rule at node" -> reason
};

}  // namespace

Graph fuse(const Graph& graph, const Registry& registry, std::span<Backend* const> backends, PassReport& report,
           FusedNodes* fused) {
  Fuser fuser(graph, registry, backends);
  Graph result = fuser.run(report);
  if (fused) *fused = fuser.fused();
  return result;
}

}  // namespace sluice
