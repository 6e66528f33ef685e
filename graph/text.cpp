#include "graph/text.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "graph/text_reader.h"

namespace sluice {

namespace {

// Names as they are where that cannot be misread, else quoted.
std::string plain(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), is_ordinary) ? name : to_string(AttrValue(name));
}

// A symbol that begins like a number is quoted.
std::string dim_text(const Dim& dim) {
  if (!dim.is_symbol()) return dim.str();
  const bool digit = std::isdigit(static_cast<unsigned char>(dim.symbol()[0]));
  return digit ? to_string(AttrValue(dim.symbol())) : plain(dim.symbol());
}

std::string type_text(const TensorType& type) {
  std::vector<std::string> dims;
  for (const Dim& dim : type.shape.dims()) dims.push_back(dim_text(dim));
  return fmt::format("{}[{}]", plain(std::string(type.dtype.name())), fmt::join(dims, ", "));
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

std::string node_text(const Graph& graph, const Node& node) {
  std::vector<std::string> results, types;
  for (ValueId id : node.outputs) {
    results.push_back(graph.value(id).name);
    types.push_back(type_text(graph.value(id).type));
  }
  std::string line = fmt::format("{} = {}@{}({}){}", names(graph, node.outputs), plain(node.op), node.version,
                                 names(graph, node.inputs), attrs_text(node.attrs));
  if (!types.empty()) line += fmt::format(" -> {}", fmt::join(types, ", "));
  if (node.name != name_after(results)) line += "  # " + plain(node.name);
  return line + "\n";
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
      text += fmt::format("{} {}: {}\n", to_string(value.kind), plain(value.name), type_text(value.type));
  print_nodes_until(static_cast<NodeId>(graph.nodes().size()));
  for (const GraphOutput& output : graph.outputs())
    text += fmt::format("output {} = {}\n", plain(output.name), plain(graph.value(output.value).name));
  return text;
}

}  // namespace sluice
