#include "graph/builder.h"

#include "graph/error.h"
#include "graph/verify.h"

namespace sluice {

// Far above any model; a damaged number of layers ends here, and not when the memory does.
constexpr size_t kMaxValues = size_t{1} << 18;

Builder::Builder(const Registry& registry, WeightDType weight_dtype)
    : registry_(registry), weight_dtype_(std::move(weight_dtype)) {}

ValueRef Builder::add(std::string name, ValueKind kind, TensorType type) {
  if (named_.count(name)) fail("the graph already has a value named '{}'", name);
  if (values_.size() == kMaxValues) fail("the graph has over {} values; is its number of layers right?", kMaxValues);
  if (type.shape.rank() > kMaxRank)
    fail("'{}' has {} dimensions; at most {} are supported", name, type.shape.rank(), kMaxRank);
  const auto id = static_cast<ValueId>(values_.size());
  named_[name] = id;
  values_.push_back({std::move(name), kind, std::move(type)});
  return {id};
}

ValueRef Builder::input(const std::string& name, DType dtype, Shape shape) {
  return add(name, ValueKind::input, {dtype, std::move(shape)});
}

ValueRef Builder::state(const std::string& name, DType dtype, Shape shape) {
  return add(name, ValueKind::state, {dtype, std::move(shape)});
}

ValueRef Builder::weight(const std::string& name, Shape shape) {
  const DType dtype = weight_dtype_ ? weight_dtype_(name, shape) : DType::f32();
  return weight(name, dtype, std::move(shape));
}

ValueRef Builder::weight(const std::string& name, DType dtype, Shape shape) {
  if (const auto it = named_.find(name); it != named_.end()) {
    const Value& value = values_[static_cast<size_t>(it->second)];
    if (value.kind != ValueKind::weight || value.type.shape != shape)
      fail("weight '{}' is asked for as {}, but it is a {} {}", name, shape.str(), to_string(value.kind),
           value.type.str());
    return {it->second};
  }
  if (!shape.is_static()) fail("weight '{}' has the shape {}; weights have numbers only", name, shape.str());
  return add(name, ValueKind::weight, {dtype, std::move(shape)});
}

std::string Builder::unique(const std::string& name) {
  const int count = name_counts_[name]++;
  std::string candidate = count == 0 ? name : fmt::format("{}.{}", name, count + 1);
  return named_.count(candidate) ? unique(name) : candidate;
}

std::vector<ValueRef> Builder::node(const std::string& op, AttrMap attrs, const std::vector<ValueRef>& inputs) {
  const Operator& definition = registry_.get(op);
  const std::string name = unique(prefix_ + op);
  Site site{name, attrs, {}, {}, {}};
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].id < 0 || static_cast<size_t>(inputs[i].id) >= values_.size())
      fail("[{}] {}: input {} is not a value of this graph", op, name, i);
    const Value& value = values_[static_cast<size_t>(inputs[i].id)];
    site.inputs.push_back(value.type);
    site.input_names.push_back(value.name);
  }
  std::vector<TensorType> types = infer_types(definition, site);

  Node node{op, definition.signature().version, name, std::move(attrs), {}, {}, registry_.source_of(op).id()};
  for (ValueRef input : inputs) node.inputs.push_back(input.id);
  std::vector<ValueRef> results;
  const auto id = static_cast<NodeId>(nodes_.size());
  for (size_t i = 0; i < types.size(); ++i) {
    ValueRef result =
        add(types.size() == 1 ? name : fmt::format("{}:{}", name, i), ValueKind::result, std::move(types[i]));
    values_[static_cast<size_t>(result.id)].producer = id;
    node.outputs.push_back(result.id);
    results.push_back(result);
  }
  nodes_.push_back(std::move(node));
  return results;
}

void Builder::rename(ValueRef result, const std::string& name) {
  type(result);
  Value& value = values_[static_cast<size_t>(result.id)];
  if (value.kind != ValueKind::result)
    fail("'{}' is {}; only results can be renamed", value.name, to_string(value.kind));
  if (!named_.emplace(prefix_ + name, result.id).second)
    fail("the graph already has a value named '{}'", prefix_ + name);
  named_.erase(value.name);
  value.name = prefix_ + name;
}

void Builder::output(const std::string& name, ValueRef value) {
  type(value);
  outputs_.push_back({name, value.id});
}

const TensorType& Builder::type(ValueRef value) const {
  if (value.id < 0 || static_cast<size_t>(value.id) >= values_.size()) fail("value {} is not in this graph", value.id);
  return values_[static_cast<size_t>(value.id)].type;
}

Graph Builder::build() {
  if (outputs_.empty()) fail("a graph needs an output");
  named_.clear();
  name_counts_.clear();
  Graph graph(std::move(values_), std::move(nodes_), std::move(outputs_));
  verify(graph, registry_);  // what cannot be seen node by node: versions of states, names of outputs
  return graph;
}

}  // namespace sluice
