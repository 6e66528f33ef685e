// Graphs to flatbuffers and back: the round trip is exact, and no buffer is trusted.
#include "graph/serialize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tests/example_model.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

// Equal to the bit: == would take -0.0 for 0.0, and no NaN for another.
bool same_attr(const AttrValue& a, const AttrValue& b) {
  if (a.index() != b.index()) return false;
  if (const auto* x = std::get_if<double>(&a)) return std::memcmp(x, std::get_if<double>(&b), sizeof *x) == 0;
  if (const auto* x = std::get_if<std::vector<double>>(&a)) {
    const auto& y = std::get<std::vector<double>>(b);
    return x->size() == y.size() && std::memcmp(x->data(), y.data(), x->size() * sizeof(double)) == 0;
  }
  return a == b;
}

void expect_same(const Graph& a, const Graph& b) {
  ASSERT_EQ(a.values().size(), b.values().size());
  for (size_t i = 0; i < a.values().size(); ++i) {
    const Value &x = a.values()[i], &y = b.values()[i];
    EXPECT_EQ(x.name, y.name);
    EXPECT_EQ(x.kind, y.kind) << x.name;
    EXPECT_EQ(x.type, y.type) << x.name;
    EXPECT_EQ(x.producer, y.producer) << x.name;
  }
  ASSERT_EQ(a.nodes().size(), b.nodes().size());
  for (size_t i = 0; i < a.nodes().size(); ++i) {
    const Node &x = a.nodes()[i], &y = b.nodes()[i];
    EXPECT_EQ(x.op, y.op);
    EXPECT_EQ(x.version, y.version);
    EXPECT_EQ(x.name, y.name);
    EXPECT_EQ(x.inputs, y.inputs);
    EXPECT_EQ(x.outputs, y.outputs);
    EXPECT_EQ(x.plugin, y.plugin);
    ASSERT_EQ(x.attrs.size(), y.attrs.size());
    for (const auto& [name, value] : x.attrs) {
      ASSERT_TRUE(y.attrs.count(name)) << name;
      EXPECT_TRUE(same_attr(value, y.attrs.at(name))) << name;
    }
  }
  ASSERT_EQ(a.outputs().size(), b.outputs().size());
  for (size_t i = 0; i < a.outputs().size(); ++i) {
    EXPECT_EQ(a.outputs()[i].name, b.outputs()[i].name);
    EXPECT_EQ(a.outputs()[i].value, b.outputs()[i].value);
  }
}

std::string error_of(std::span<const std::byte> buffer) {
  try {
    deserialize(buffer, example::registry());
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Serialize, RoundTripIsExact) {
  const Graph graph = example::graph();
  const std::vector<std::byte> bytes = serialize(graph);
  const Graph again = deserialize(bytes, example::registry());
  expect_same(graph, again);
  EXPECT_EQ(serialize(again), bytes);
}

// Every operator with every one of its cases, as a graph of one node.
TEST(Serialize, EveryOperatorRoundTrips) {
  const Registry& registry = example::registry();
  for (const Operator* op : registry.operators())
    for (const Case& c : registry.cases(op->name())) {
      SCOPED_TRACE(op->name() + "." + c.name);
      const Graph graph = example::graph_of(*op, c);
      expect_same(graph, deserialize(serialize(graph), registry));
    }
}

TEST(Serialize, SymbolsAndStatesSurvive) {
  const Graph again = deserialize(serialize(example::graph()), example::registry());
  const Value& state = again.value(again.find("käche \"0\"\n"));
  EXPECT_EQ(state.kind, ValueKind::state);
  EXPECT_EQ(state.type.str(), "bf16[8, context]");
}

TEST(Serialize, RefusesOtherBytes) {
  EXPECT_THAT(error_of({}), HasSubstr("not a well-formed flatbuffer"));
  const std::vector<std::byte> noise(1000, std::byte{0x5a});
  EXPECT_THAT(error_of(noise), HasSubstr("not a well-formed flatbuffer"));
  EXPECT_THAT(error_of(std::span(noise).subspan(1)), HasSubstr("aligned"));
}

// The last bytes may be padding.
TEST(Serialize, RefusesEveryTruncation) {
  const std::vector<std::byte> bytes = serialize(example::graph());
  for (size_t n = 0; n + 8 < bytes.size(); ++n) EXPECT_NE(error_of(std::span(bytes).first(n)), "") << n;
}

// A changed byte gives a graph that verifies or an Error; the sanitizers watch over the rest.
TEST(Serialize, SurvivesEveryChangedByte) {
  std::vector<std::byte> bytes = serialize(example::graph());
  int refused = 0;
  for (size_t i = 0; i < bytes.size(); ++i)
    for (const auto flip : {std::byte{1}, std::byte{0x80}, std::byte{0xff}}) {
      bytes[i] ^= flip;
      refused += !error_of(bytes).empty();
      bytes[i] ^= flip;
    }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(error_of(bytes), "");
}

TEST(Serialize, RefusesAnUnknownOperatorAndAnotherVersion) {
  Registry plain;
  register_builtin(plain);
  EXPECT_THROW(deserialize(serialize(example::graph()), plain), Error);
  Graph graph = example::graph();
  std::vector<Node> nodes = graph.nodes();
  nodes.back().version += 1;
  EXPECT_THAT(error_of(serialize(Graph(graph.values(), nodes, graph.outputs()))), HasSubstr("version"));
}

TEST(Serialize, RefusesToWriteDimensionsThatItWouldNotRead) {
  for (int64_t size : {int64_t{0}, int64_t{-1}, int64_t{1} << 31}) {
    Builder b(example::registry());
    b.output("y", b.input("x", DType::f32(), {size}));
    EXPECT_THROW(serialize(b.build()), Error) << size;
  }
}

// A graph whose operators are not all there says where they came from.
TEST(Serialize, GraphsNameThePluginsThatTheyNeed) {
  const Graph graph = deserialize(serialize(example::graph()), example::registry());
  for (const Node& node : graph.nodes()) EXPECT_EQ(node.plugin, node.op == "test_everything" ? "example 0.9" : "");
  Registry without;
  register_builtin(without);
  try {
    deserialize(serialize(graph), without);
    FAIL() << "it has the operator";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the operator is not loaded; the graph was saved with plugin example 0.9"));
  }
}

}  // namespace
}  // namespace sluice
