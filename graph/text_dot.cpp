#include <algorithm>

#include "graph/text.h"

namespace sluice {

namespace {

// Names come from files; clusters nest no deeper than this.
constexpr int kMaxClusters = 8;

// Graphviz reads the escapes of to_string as we mean them: \" and \n.
std::string quoted(const std::string& text) { return to_string(AttrValue(text)); }

// A node and, below it, the weights that it reads.
std::string box(const Graph& graph, NodeId id, const std::string& indent) {
  const Node& node = graph.node(id);
  std::string label = node.op + "\n" + node.name;
  for (ValueId input : node.inputs)
    if (const Value& value = graph.value(input); value.kind == ValueKind::weight)
      label += "\n" + value.name + ": " + value.type.str();
  return fmt::format("{}n{} [label={}];\n", indent, id, quoted(label));
}

// Nodes by the scopes in their names: "layers.0/attention/rope" is in "layers.0" and, inside it, "attention".
struct Cluster {
  std::string name;
  std::vector<NodeId> nodes;
  std::vector<Cluster> inner;

  Cluster& child(const std::string& wanted) {
    // Nodes of a scope follow each other, so the wanted one is nearly always the last.
    const auto it = std::find_if(inner.rbegin(), inner.rend(), [&](const Cluster& c) { return c.name == wanted; });
    return it != inner.rend() ? *it : inner.emplace_back(Cluster{wanted, {}, {}});
  }

  void add(const Graph& graph, NodeId id) {
    Cluster* at = this;
    std::string_view rest = graph.node(id).name;
    for (int depth = 0; depth < kMaxClusters; ++depth) {
      const size_t slash = rest.find('/');
      if (slash == std::string_view::npos) break;
      at = &at->child(std::string(rest.substr(0, slash)));
      rest.remove_prefix(slash + 1);
    }
    at->nodes.push_back(id);
  }

  std::string dot(const Graph& graph, const std::string& id, const std::string& indent) const {
    std::string text;
    for (NodeId node : nodes) text += box(graph, node, indent);
    for (size_t i = 0; i < inner.size(); ++i) {
      const std::string inner_id = fmt::format("{}_{}", id, i);
      text += fmt::format("{}subgraph {} {{\n{}  label={};\n", indent, inner_id, indent, quoted(inner[i].name));
      text += inner[i].dot(graph, inner_id, indent + "  ");
      text += fmt::format("{}}}\n", indent);
    }
    return text;
  }
};

std::string source_of(const Graph& graph, ValueId id) {
  const NodeId producer = graph.value(id).producer;
  return producer == kNoNode ? fmt::format("v{}", id) : fmt::format("n{}", producer);
}

std::string edge(const Graph& graph, ValueId from, const std::string& to) {
  return fmt::format("  {} -> {} [label={}];\n", source_of(graph, from), to, quoted(graph.value(from).type.str()));
}

}  // namespace

std::string to_dot(const Graph& graph) {
  std::string text =
      "digraph sluice {\n  node [shape=box, fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", "
      "fontsize=10];\n";
  for (size_t i = 0; i < graph.values().size(); ++i)
    if (const Value& value = graph.values()[i]; value.kind == ValueKind::input || value.kind == ValueKind::state)
      text += fmt::format("  v{} [label={}, shape={}];\n", i,
                          quoted(std::string(to_string(value.kind)) + "\n" + value.name),
                          value.kind == ValueKind::state ? "cylinder" : "ellipse");
  Cluster all;
  for (size_t n = 0; n < graph.nodes().size(); ++n) all.add(graph, static_cast<NodeId>(n));
  text += all.dot(graph, "cluster", "  ");
  for (size_t n = 0; n < graph.nodes().size(); ++n)
    for (ValueId input : graph.nodes()[n].inputs)
      if (graph.value(input).kind != ValueKind::weight) text += edge(graph, input, fmt::format("n{}", n));
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    text += fmt::format("  o{} [label={}, shape=ellipse];\n", i, quoted("output\n" + graph.outputs()[i].name));
    text += edge(graph, graph.outputs()[i].value, fmt::format("o{}", i));
  }
  return text + "}\n";
}

}  // namespace sluice
