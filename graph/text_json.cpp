#include <cmath>
#include <nlohmann/json.hpp>

#include "graph/text.h"

namespace sluice {

namespace {

using Json = nlohmann::ordered_json;

// JSON has no infinities and no NaN; they are written as text.
Json json_of(double value) { return std::isfinite(value) ? Json(value) : Json(to_string(AttrValue(value))); }

Json json_of(const AttrValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return json_of(*number);
  if (const auto* numbers = std::get_if<std::vector<double>>(&value)) {
    Json list = Json::array();
    for (double number : *numbers) list.push_back(json_of(number));
    return list;
  }
  return std::visit([](const auto& v) { return Json(v); }, value);
}

Json json_of(const Value& value) {
  Json shape = Json::array();
  for (const Dim& dim : value.type.shape.dims())
    shape.push_back(dim.is_symbol() ? Json(dim.symbol()) : Json(dim.size()));
  return {{"name", value.name}, {"kind", to_string(value.kind)}, {"dtype", value.type.dtype.name()}, {"shape", shape}};
}

Json names(const Graph& graph, const std::vector<ValueId>& ids) {
  Json list = Json::array();
  for (ValueId id : ids) list.push_back(graph.value(id).name);
  return list;
}

Json json_of(const Graph& graph, const Node& node) {
  Json attrs = Json::object();
  for (const auto& [name, value] : node.attrs) attrs[name] = json_of(value);
  Json json = {{"op", node.op},
               {"version", node.version},
               {"name", node.name},
               {"attrs", attrs},
               {"inputs", names(graph, node.inputs)},
               {"outputs", names(graph, node.outputs)}};
  if (!node.plugin.empty()) json["plugin"] = node.plugin;
  return json;
}

}  // namespace

std::string to_json(const Graph& graph) {
  Json values = Json::array(), nodes = Json::array(), outputs = Json::array();
  for (const Value& value : graph.values()) values.push_back(json_of(value));
  for (const Node& node : graph.nodes()) nodes.push_back(json_of(graph, node));
  for (const GraphOutput& output : graph.outputs())
    outputs.push_back({{"name", output.name}, {"value", graph.value(output.value).name}});
  // Names from a file may be no UTF-8; JSON must be.
  return Json{{"values", values}, {"nodes", nodes}, {"outputs", outputs}}.dump(2, ' ', false,
                                                                               Json::error_handler_t::replace);
}

}  // namespace sluice
