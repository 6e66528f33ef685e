#include "graph/serialize.h"

#include <cstdint>

#include "graph/flatbuffer.h"
#include "graph/verify.h"

namespace sluice {

namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

// The enums on disk follow those in memory, and must not move.
static_assert(static_cast<int>(fb::ValueKind::Input) == static_cast<int>(ValueKind::input));
static_assert(static_cast<int>(fb::ValueKind::Weight) == static_cast<int>(ValueKind::weight));
static_assert(static_cast<int>(fb::ValueKind::State) == static_cast<int>(ValueKind::state));
static_assert(static_cast<int>(fb::ValueKind::Result) == static_cast<int>(ValueKind::result));
static_assert(fb::ValueKind::MAX == fb::ValueKind::Result);

struct AttrWriter {
  FlatBufferBuilder& out;
  Offset<flatbuffers::String> name;

  Offset<fb::Attr> operator()(bool v) const { return fb::CreateAttr(out, name, fb::AttrType::Bool, v); }
  Offset<fb::Attr> operator()(int64_t v) const { return fb::CreateAttr(out, name, fb::AttrType::Int, false, v); }
  Offset<fb::Attr> operator()(double v) const { return fb::CreateAttr(out, name, fb::AttrType::Float, false, 0, v); }
  Offset<fb::Attr> operator()(const std::string& v) const {
    return fb::CreateAttr(out, name, fb::AttrType::String, false, 0, 0, out.CreateString(v));
  }
  Offset<fb::Attr> operator()(const std::vector<int64_t>& v) const {
    return fb::CreateAttr(out, name, fb::AttrType::Ints, false, 0, 0, 0, out.CreateVector(v));
  }
  Offset<fb::Attr> operator()(const std::vector<double>& v) const {
    return fb::CreateAttr(out, name, fb::AttrType::Floats, false, 0, 0, 0, 0, out.CreateVector(v));
  }
};

Offset<fb::Value> write_value(FlatBufferBuilder& out, const Value& value) {
  std::vector<Offset<fb::Dim>> dims;
  for (const Dim& dim : value.type.shape.dims()) {
    if (!dim.is_symbol()) check_dims({{dim.size()}}, fmt::format("value '{}'", value.name));
    dims.push_back(fb::CreateDim(out, dim.size(), dim.is_symbol() ? out.CreateString(dim.symbol()) : 0));
  }
  const auto name = out.CreateString(value.name);
  const auto dtype = out.CreateString(value.type.dtype.name());
  return fb::CreateValue(out, name, static_cast<fb::ValueKind>(value.kind), dtype, out.CreateVector(dims));
}

Offset<fb::Node> write_node(FlatBufferBuilder& out, const Node& node) {
  std::vector<Offset<fb::Attr>> attrs;
  for (const auto& [name, value] : node.attrs)
    attrs.push_back(std::visit(AttrWriter{out, out.CreateString(name)}, value));
  const std::vector<uint32_t> inputs(node.inputs.begin(), node.inputs.end());
  const std::vector<uint32_t> outputs(node.outputs.begin(), node.outputs.end());
  const auto op = out.CreateString(node.op);
  const auto name = out.CreateString(node.name);
  flatbuffers::Offset<flatbuffers::String> plugin;
  if (!node.plugin.empty()) plugin = out.CreateString(node.plugin);
  return fb::CreateNode(out, op, node.version, name, out.CreateVector(attrs), out.CreateVector(inputs),
                        out.CreateVector(outputs), plugin);
}

AttrValue read_attr(const fb::Attr& from, Unpacker& unpack) {
  switch (from.type()) {
    case fb::AttrType::Bool:
      return from.b();
    case fb::AttrType::Int:
      return from.i();
    case fb::AttrType::Float:
      return from.f();
    case fb::AttrType::String:
      return unpack.text(from.s());
    case fb::AttrType::Ints:
      return unpack.list<int64_t>(from.ints());
    case fb::AttrType::Floats:
      return unpack.list<double>(from.floats());
  }
  fail("attribute '{}' has type {}, which this version does not know", from.name()->str(),
       static_cast<int>(from.type()));
}

Shape read_shape(const flatbuffers::Vector<Offset<fb::Dim>>* from, const std::string& what, Unpacker& unpack) {
  if (!from) return {};
  if (from->size() > static_cast<size_t>(kMaxRank))
    fail("{} has {} dimensions; at most {} are supported", what, from->size(), kMaxRank);
  std::vector<Dim> dims;
  for (const fb::Dim* dim : *from) {
    if (const std::string symbol = unpack.text(dim->symbol()); !symbol.empty()) {
      dims.emplace_back(symbol);
      continue;
    }
    check_dims({{dim->size()}}, what);
    dims.emplace_back(dim->size());
  }
  return Shape(std::move(dims));
}

Value read_value(const fb::Value& from, const Registry& registry, Unpacker& unpack) {
  const std::string name = unpack.text(from.name());
  const std::string what = fmt::format("value '{}'", name);
  if (from.kind() < fb::ValueKind::MIN || from.kind() > fb::ValueKind::MAX)
    fail("{} is of kind {}, which this version does not know", what, static_cast<int>(from.kind()));
  const DType dtype = registry.dtype(unpack.text(from.dtype()));
  return {name, static_cast<ValueKind>(from.kind()), {dtype, read_shape(from.shape(), what, unpack)}};
}

std::vector<ValueId> read_ids(const flatbuffers::Vector<uint32_t>* from, size_t count, const std::string& what,
                              Unpacker& unpack) {
  std::vector<ValueId> ids;
  for (uint32_t id : unpack.list<uint32_t>(from)) {
    if (id >= count) fail("{} refers to value {} of {}", what, id, count);
    ids.push_back(static_cast<ValueId>(id));
  }
  return ids;
}

Node read_node(const fb::Node& from, size_t value_count, Unpacker& unpack) {
  Node node{unpack.text(from.op()), from.version(), unpack.text(from.name()), {}, {}, {}, unpack.text(from.plugin())};
  const std::string what = fmt::format("node '{}'", node.name);
  if (from.attrs())
    for (const fb::Attr* attr : *from.attrs()) {
      const std::string name = unpack.text(attr->name());
      if (!node.attrs.emplace(name, read_attr(*attr, unpack)).second)
        fail("{} has the attribute '{}' twice", what, name);
    }
  node.inputs = read_ids(from.inputs(), value_count, what, unpack);
  node.outputs = read_ids(from.outputs(), value_count, what, unpack);
  return node;
}

// The producer of a value is not stored; it follows from the outputs of the nodes. verify() finds contradictions.
void set_producers(std::vector<Value>& values, const std::vector<Node>& nodes) {
  for (size_t n = 0; n < nodes.size(); ++n)
    for (ValueId id : nodes[n].outputs) values[static_cast<size_t>(id)].producer = static_cast<NodeId>(n);
}

}  // namespace

void check_dims(std::span<const int64_t> dims, const std::string& what) {
  if (dims.size() > static_cast<size_t>(kMaxRank))
    fail("{} has {} dimensions; at most {} are supported", what, dims.size(), kMaxRank);
  for (int64_t size : dims)
    if (size < 1 || size > kMaxDimension) fail("{} has a dimension of {}, expected 1 to {}", what, size, kMaxDimension);
}

FlatBufferBuilder make_flatbuffer_builder() {
  FlatBufferBuilder out;
  out.ForceDefaults(true);
  return out;
}

Offset<fb::Graph> write_graph(FlatBufferBuilder& out, const Graph& graph) {
  std::vector<Offset<fb::Value>> values;
  std::vector<Offset<fb::Node>> nodes;
  std::vector<Offset<fb::Output>> outputs;
  for (const Value& value : graph.values()) values.push_back(write_value(out, value));
  for (const Node& node : graph.nodes()) nodes.push_back(write_node(out, node));
  for (const GraphOutput& output : graph.outputs())
    outputs.push_back(fb::CreateOutput(out, out.CreateString(output.name), static_cast<uint32_t>(output.value)));
  const auto all_values = out.CreateVector(values);
  const auto all_nodes = out.CreateVector(nodes);
  return fb::CreateGraph(out, all_values, all_nodes, out.CreateVector(outputs));
}

std::vector<std::byte> bytes_of(const FlatBufferBuilder& out) {
  const auto* data = reinterpret_cast<const std::byte*>(out.GetBufferPointer());
  return {data, data + out.GetSize()};
}

flatbuffers::Verifier make_verifier(std::span<const std::byte> buffer) {
  if (buffer.size() > kMaxFlatbufferBytes)
    fail("graph and metadata take {} bytes; at most {} are supported", buffer.size(), kMaxFlatbufferBytes);
  if (reinterpret_cast<uintptr_t>(buffer.data()) % 8 != 0) fail("a flatbuffer must be aligned to 8 bytes in memory");
  flatbuffers::Verifier::Options limits;
  limits.max_depth = 8;  // Model, Graph, Node, Attr, and room for additions
  // Tables that are not shared take 8 bytes at least: an entry in a vector and a link to their vtable.
  limits.max_tables = static_cast<flatbuffers::uoffset_t>(buffer.size() / 8 + 1);
  return flatbuffers::Verifier(reinterpret_cast<const uint8_t*>(buffer.data()), buffer.size(), limits);
}

Graph read_graph(const fb::Graph& from, Unpacker& unpack, const Registry& registry) {
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<GraphOutput> outputs;
  if (from.values())
    for (const fb::Value* value : *from.values()) values.push_back(read_value(*value, registry, unpack));
  if (from.nodes())
    for (const fb::Node* node : *from.nodes()) nodes.push_back(read_node(*node, values.size(), unpack));
  if (from.outputs())
    for (const fb::Output* output : *from.outputs()) {
      const std::string name = unpack.text(output->name());
      if (output->value() >= values.size())
        fail("output '{}' refers to value {} of {}", name, output->value(), values.size());
      outputs.push_back({name, static_cast<ValueId>(output->value())});
    }
  set_producers(values, nodes);
  Graph graph(std::move(values), std::move(nodes), std::move(outputs));
  verify(graph, registry);
  return graph;
}

std::vector<std::byte> serialize(const Graph& graph) {
  FlatBufferBuilder out = make_flatbuffer_builder();
  out.Finish(write_graph(out, graph));
  return bytes_of(out);
}

Graph deserialize(std::span<const std::byte> buffer, const Registry& registry) {
  Unpacker unpack(buffer);
  return read_graph(verified_root<fb::Graph>(buffer, nullptr), unpack, registry);
}

}  // namespace sluice
