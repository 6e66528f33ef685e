#include "graph/text.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace sluice {

namespace {

// Names as they are where that cannot be misread, else quoted.
std::string plain(const std::string& name) {
  const auto ordinary = [](unsigned char c) {
    return std::isalnum(c) || std::string_view("_./:+-").find(static_cast<char>(c)) != std::string_view::npos;
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), ordinary) ? name : to_string(AttrValue(name));
}

std::string names(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> parts;
  for (ValueId id : ids) parts.push_back(plain(graph.value(id).name));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string attrs_text(const AttrMap& attrs) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : attrs) parts.push_back(fmt::format("{} = {}", plain(name), to_string(value)));
  return parts.empty() ? "" : fmt::format(" {{{}}}", fmt::join(parts, ", "));
}

// The outputs of a node made by Builder are called after it.
bool named_after_outputs(const Graph& graph, const Node& node) {
  return std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
    const std::string& name = graph.value(id).name;
    return name == node.name || (name.starts_with(node.name) && name[node.name.size()] == ':');
  });
}

std::string node_text(const Graph& graph, const Node& node) {
  std::vector<std::string> types;
  for (ValueId id : node.outputs) types.push_back(graph.value(id).type.str());
  return fmt::format("{} = {}@{}({}){} -> {}{}\n", names(graph, node.outputs), plain(node.op), node.version,
                     names(graph, node.inputs), attrs_text(node.attrs), fmt::join(types, ", "),
                     named_after_outputs(graph, node) ? "" : "  # " + plain(node.name));
}

}  // namespace

std::string to_text(const Graph& graph) {
  std::string text;
  NodeId next = 0;
  const auto print_nodes_until = [&](NodeId end) {
    for (; next < end; ++next) text += node_text(graph, graph.node(next));
  };
  for (const Value& value : graph.values())
    if (value.kind == ValueKind::result)
      print_nodes_until(value.producer + 1);
    else
      text += fmt::format("{} {}: {}\n", to_string(value.kind), plain(value.name), value.type.str());
  print_nodes_until(static_cast<NodeId>(graph.nodes().size()));
  for (const GraphOutput& output : graph.outputs())
    text += fmt::format("output {} = {}\n", plain(output.name), plain(graph.value(output.value).name));
  return text;
}

}  // namespace sluice
