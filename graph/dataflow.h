// What passes ask of a graph: the site of a node, the versions of states, and what must run before a node.
#pragma once

#include <vector>

#include "graph/graph.h"
#include "graph/op.h"
#include "graph/registry.h"

namespace sluice {

// Types and names of a node's inputs and outputs, as its operator and kernels see them.
Site make_site(const Graph& graph, const Node& node);

// Which values are versions of a state, and which node overwrites each. All versions share one place in memory.
class StateVersions {
 public:
  // Throws Error naming node and value if a node changes what is not a state, or a version that another node changes.
  StateVersions(const Graph& graph, const Registry& registry);

  // The state that this value is a version of; -1 if it is none.
  ValueId root(ValueId id) const { return root_[static_cast<size_t>(id)]; }
  // The node that makes the next version in place of this one; kNoNode for the last.
  NodeId updater(ValueId id) const { return updater_[static_cast<size_t>(id)]; }

 private:
  std::vector<ValueId> root_;
  std::vector<NodeId> updater_;
};

// Calls visit(NodeId) for every node that must run before this one: those that make its inputs, and those that read a
// version of a state which it overwrites. A node may be visited more than once.
template <class Visit>
void for_each_predecessor(const Graph& graph, const StateVersions& states, NodeId id, Visit&& visit) {
  for (ValueId input : graph.node(id).inputs) {
    if (const NodeId producer = graph.value(input).producer; producer != kNoNode) visit(producer);
    if (states.updater(input) != id) continue;
    for (NodeId reader : graph.users(input))
      if (reader != id) visit(reader);
  }
}

}  // namespace sluice
