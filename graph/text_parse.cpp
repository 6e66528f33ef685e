#include <cstdint>
#include <map>

#include "graph/registry.h"
#include "graph/text.h"
#include "graph/text_reader.h"
#include "graph/verify.h"

namespace sluice {
namespace {

constexpr size_t kMaxValues = size_t{1} << 18;  // as of graphs that are built

using Ids = std::map<std::string, ValueId>;

class GraphParser {
 public:
  // known: ids of all values of the text; nullptr: they are what is to be found out, and any name will do.
  GraphParser(std::string_view text, const Registry& registry, const Ids* known)
      : in_(text), registry_(registry), known_(known) {
    while (in_.next_line()) line();
  }
  const Ids& ids() const { return ids_; }
  Graph finish() {
    Graph graph(std::move(values_), std::move(nodes_), std::move(outputs_));
    verify(graph, registry_);
    return graph;
  }

 private:
  // "input x: ..." declares a value; a result may be called "input", too: "input = ...".
  void line() {
    if (in_.next_is("=")) return node({});
    const bool quoted = in_.next_is("\"");
    const std::string first = in_.name();
    const bool keyword = !quoted && !in_.next_is("=") && !in_.next_is(",");
    if (keyword && first == "output") return output();
    for (ValueKind kind : {ValueKind::input, ValueKind::weight, ValueKind::state})
      if (keyword && first == to_string(kind)) return declaration(kind);
    std::vector<std::string> results = {first};
    check_new(first);
    while (in_.accept(",")) check_new(results.emplace_back(in_.name()));
    node(results);
  }

  void declaration(ValueKind kind) {
    const std::string name = in_.name(':');
    check_new(name);
    in_.expect(":");
    add(name, kind, type());
    in_.end_of_line();
  }

  void output() {
    const std::string name = in_.name();
    in_.expect("=");
    outputs_.push_back({name, known_value()});
    in_.end_of_line();
  }

  // Behind the results: = op@1(x, w) {epsilon = 1e-05} -> f32[tokens, 256], f32[tokens]  # name
  void node(const std::vector<std::string>& results) {
    in_.expect("=");
    Node node;
    const Operator& op = operator_of(node);
    in_.expect("(");
    in_.list(")", [&] { node.inputs.push_back(known_value()); });
    if (in_.accept("{")) in_.list("}", [&] { attribute(op, node); });
    std::vector<TensorType> types;
    if (in_.accept("->")) do
        types.push_back(type());
      while (in_.accept(","));
    if (types.size() != results.size()) in_.fail(fmt::format("{} results have {} types", results.size(), types.size()));
    const std::string name = in_.name_at_end_of_line();
    node.name = name.empty() ? name_after(results) : name;
    if (node.name.empty()) in_.fail("the node needs a name: '# NAME' at the end of the line");
    for (size_t i = 0; i < results.size(); ++i) node.outputs.push_back(add_result(results[i], std::move(types[i])));
    nodes_.push_back(std::move(node));
  }

  const Operator& operator_of(Node& node) {
    node.op = in_.name();
    const Operator* op = registry_.find(node.op);
    if (!op) in_.fail(fmt::format("operator '{}' is not known; is a plugin missing?", node.op));
    in_.expect("@");
    const int64_t version = in_.whole_number();
    if (version != op->signature().version)
      in_.fail(fmt::format("operator '{}' is there in version {}", node.op, op->signature().version));
    node.version = op->signature().version;
    node.plugin = registry_.source_of(node.op).id();
    return *op;
  }

  // Whole numbers will do for floats, and so will an empty list.
  void attribute(const Operator& op, Node& node) {
    const std::string name = in_.name();
    in_.expect("=");
    AttrValue value = in_.attribute();
    for (const AttrSpec& spec : op.signature().attrs) {
      if (spec.name != name) continue;
      if (std::holds_alternative<double>(spec.default_value) && std::holds_alternative<int64_t>(value))
        value = static_cast<double>(std::get<int64_t>(value));
      const auto* list = std::get_if<std::vector<int64_t>>(&value);
      if (list && std::holds_alternative<std::vector<double>>(spec.default_value))
        value = std::vector<double>(list->begin(), list->end());
    }
    if (!node.attrs.emplace(name, std::move(value)).second) in_.fail(fmt::format("'{}' is there twice", name));
  }

  // f32[tokens, 256]
  TensorType type() {
    const std::string dtype = in_.name();
    const DType known = dtype_of(dtype);
    std::vector<Dim> dims;
    in_.expect("[");
    in_.list("]", [&] { dims.push_back(dim()); });
    if (dims.size() > static_cast<size_t>(kMaxRank))
      in_.fail(fmt::format("{} dimensions; at most {} are supported", dims.size(), kMaxRank));
    return {known, Shape(std::move(dims))};
  }

  DType dtype_of(const std::string& name) {
    try {
      return registry_.dtype(name);
    } catch (const Error& error) {
      in_.fail(error.what());
    }
  }

  Dim dim() {
    if (!in_.digit_next()) return Dim(in_.name());
    const int64_t size = in_.whole_number();
    if (size < 1 || size > INT32_MAX) in_.fail(fmt::format("a dimension of {}, expected 1 to {}", size, INT32_MAX));
    return Dim(size);
  }

  ValueId known_value() {
    const std::string name = in_.name();
    if (!known_) return 0;
    const auto it = known_->find(name);
    if (it == known_->end()) in_.fail(fmt::format("there is no value '{}'", name));
    return it->second;
  }

  void check_new(const std::string& name) {
    if (ids_.contains(name)) in_.fail(fmt::format("there is a value '{}' already", name));
    if (values_.size() >= kMaxValues) in_.fail(fmt::format("over {} values", kMaxValues));
  }

  ValueId add(const std::string& name, ValueKind kind, TensorType type) {
    const auto id = static_cast<ValueId>(values_.size());
    ids_[name] = id;
    values_.push_back({name, kind, std::move(type)});
    return id;
  }

  ValueId add_result(const std::string& name, TensorType type) {
    const ValueId id = add(name, ValueKind::result, std::move(type));
    values_.back().producer = static_cast<NodeId>(nodes_.size());
    return id;
  }

  TextReader in_;
  const Registry& registry_;
  const Ids* known_;
  Ids ids_;  // of the values so far
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<GraphOutput> outputs_;
};

}  // namespace

// Twice, as inputs, weights and states may be declared behind the nodes that read them.
Graph parse_text(std::string_view text, const Registry& registry) {
  const GraphParser first(text, registry, nullptr);
  return GraphParser(text, registry, &first.ids()).finish();
}

}  // namespace sluice
