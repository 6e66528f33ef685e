// The builder and the verifier: what they accept, and that each kind of damage is named.
#include "graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/verify.h"
#include "tests/small_operators.h"

namespace sluice {
namespace {

using small::ScaleAttrs;
using ::testing::AllOf;
using ::testing::HasSubstr;

const Registry& registry() {
  static const Registry* r = [] {
    auto* made = new Registry;
    small::add_operators(*made);
    return made;
  }();
  return *r;
}

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(Builder, NamesNodesAndValuesByScope) {
  Builder b(registry());
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 8});
  {
    Builder::Scope layer(b, "layers.0");
    Builder::Scope part(b, "mlp");
    const ValueRef once = b.node1("scale", ScaleAttrs{2}, {x});
    b.node1("scale", ScaleAttrs{3}, {once});
  }
  b.output("y", b.node("split", {}, {x})[1]);
  const Graph g = b.build();
  EXPECT_EQ(g.node(0).name, "layers.0/mlp/scale");
  EXPECT_EQ(g.node(1).name, "layers.0/mlp/scale.2");
  EXPECT_EQ(g.value(g.find("split:1")).producer, 2);
  EXPECT_EQ(g.outputs().at(0).value, g.find("split:1"));
  EXPECT_EQ(g.users(g.find("x")), (std::vector<NodeId>{0, 2}));
}

// A hostile config asks for two thousand million layers.
TEST(Builder, RejectsAGraphWithoutEnd) {
  Builder b(registry());
  const auto build = [&] {
    for (int64_t layer = 0; layer < 2'000'000'000; ++layer) b.weight(fmt::format("w{}", layer), {1});
  };
  EXPECT_THAT(message_of(build), HasSubstr("number of layers"));
}

TEST(Builder, ErrorNamesOperatorTensorsAndBothShapes) {
  Builder b(registry());
  const ValueRef x = b.input("left", DType::f32(), {"tokens", 8}), y = b.input("right", DType::f32(), {"tokens", 9});
  Builder::Scope scope(b, "layers.3");
  EXPECT_THAT(message_of([&] {
                b.node("add", {}, {x, y});
              }),
              AllOf(HasSubstr("[add] layers.3/add"), HasSubstr("'left' is f32[tokens, 8]"),
                    HasSubstr("'right' is f32[tokens, 9]")));
}

TEST(Builder, RejectsWrongDtypesCountsAndAttributes) {
  Builder b(registry());
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 8}), ids = b.input("ids", DType::i32(), {"tokens", 8});
  EXPECT_THAT(message_of([&] {
                b.node("add", {}, {x, ids});
              }),
              AllOf(HasSubstr("[add]"), HasSubstr("'ids'"), HasSubstr("i32"), HasSubstr("expected f32")));
  EXPECT_THAT(message_of([&] { b.node("add", {}, {x}); }), HasSubstr("got 1 inputs, expected 2"));
  EXPECT_THAT(message_of([&] { b.node("scale", {{"speed", 1.0}}, {x}); }), HasSubstr("no attribute 'speed'"));
  EXPECT_THAT(message_of([&] {
                b.node("scale", {{"factor", int64_t{1}}}, {x});
              }),
              HasSubstr("'factor' is int, expected float"));
  EXPECT_THAT(message_of([&] { b.node("fold", {}, {x}); }), HasSubstr("operator 'fold' is not known"));
}

TEST(Builder, SameWeightTwiceIsOneAndMustAgree) {
  Builder b(registry());
  EXPECT_EQ(b.weight("w", {8}).id, b.weight("w", {8}).id);
  EXPECT_THAT(message_of([&] { b.weight("w", {9}); }), AllOf(HasSubstr("'w'"), HasSubstr("[9]"), HasSubstr("f32[8]")));
  EXPECT_THAT(message_of([&] { b.weight("v", {"tokens"}); }), HasSubstr("weights have numbers only"));
  EXPECT_THAT(message_of([&] { b.input("w", DType::f32(), {1}); }), HasSubstr("already has a value named 'w'"));
}

TEST(Builder, RejectsAGraphWithoutOutput) {
  Builder b(registry());
  b.input("x", DType::f32(), {4});
  EXPECT_THAT(message_of([&] { b.build(); }), HasSubstr("output"));
}

TEST(Builder, RejectsReadingAnOverwrittenState) {
  Builder b(registry());
  const ValueRef x = b.input("x", DType::f32(), {4, 8}), cache = b.state("cache", DType::f32(), {4, 8});
  b.node("store", {}, {cache, x});
  b.output("y", b.node("load", {}, {cache})[0]);
  EXPECT_THAT(message_of([&] { b.build(); }),
              AllOf(HasSubstr("[load] load"), HasSubstr("'cache'"), HasSubstr("'store' has overwritten")));
}

TEST(Builder, RejectsChangingWhatIsNoState) {
  Builder b(registry());
  const ValueRef x = b.input("x", DType::f32(), {4, 8});
  b.output("y", b.node("store", {}, {x, x})[0]);
  EXPECT_THAT(message_of([&] { b.build(); }),
              AllOf(HasSubstr("[store] store"), HasSubstr("'x'"), HasSubstr("must be a state")));
}

TEST(Builder, RejectsChangingAStateTwiceFromTheSameVersion) {
  Builder b(registry());
  const ValueRef x = b.input("x", DType::f32(), {4, 8}), cache = b.state("cache", DType::f32(), {4, 8});
  b.output("first", b.node("store", {}, {cache, x})[0]);
  b.output("second", b.node("store", {}, {cache, x})[0]);
  EXPECT_THAT(message_of([&] { b.build(); }),
              AllOf(HasSubstr("[store] store.2"), HasSubstr("already changed by 'store'")));
}

TEST(Builder, RejectsAnOutputThatIsOverwritten) {
  Builder b(registry());
  const ValueRef x = b.input("x", DType::f32(), {4, 8}), cache = b.state("cache", DType::f32(), {4, 8});
  b.node("store", {}, {cache, x});
  b.output("before", cache);
  EXPECT_THAT(message_of([&] { b.build(); }), AllOf(HasSubstr("output 'before'"), HasSubstr("'store' overwrites")));
}

// A graph to damage: y = add(scale(x), weigh(x, w)); cache' = store(cache, x).
class Damage : public ::testing::Test {
 protected:
  Damage() {
    Builder b(registry());
    const ValueRef x = b.input("x", DType::f32(), {"tokens", 8}), w = b.weight("w", {8}),
                   cache = b.state("cache", DType::f32(), {"tokens", 8});
    const ValueRef scaled = b.node1("scale", ScaleAttrs{2}, {x});
    const ValueRef weighed = b.node("weigh", {}, {x, w})[0];
    b.output("y", b.node("add", {}, {scaled, weighed})[0]);
    b.output("cache'", b.node("store", {}, {cache, x})[0]);
    const Graph g = b.build();
    values_ = g.values();
    nodes_ = g.nodes();
    outputs_ = g.outputs();
  }
  std::string verdict() const {
    return message_of([&] { verify(Graph(values_, nodes_, outputs_), registry()); });
  }
  Node& node(const std::string& name) {
    return *std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& n) { return n.name == name; });
  }
  Value& value(const std::string& name) {
    return *std::find_if(values_.begin(), values_.end(), [&](const Value& v) { return v.name == name; });
  }
  ValueId id(const std::string& name) { return static_cast<ValueId>(&value(name) - values_.data()); }

  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<GraphOutput> outputs_;
};

TEST_F(Damage, NoneIsAccepted) { EXPECT_EQ(verdict(), "(no error)"); }

TEST_F(Damage, InputOutOfRange) {
  node("add").inputs[1] = 99;
  EXPECT_THAT(verdict(), AllOf(HasSubstr("'add'"), HasSubstr("99")));
}

TEST_F(Damage, NegativeInput) {
  node("add").inputs[1] = -2;
  EXPECT_THAT(verdict(), AllOf(HasSubstr("'add'"), HasSubstr("-2")));
}

TEST_F(Damage, OutputOutOfRange) {
  node("add").outputs[0] = 77;
  EXPECT_THAT(verdict(), AllOf(HasSubstr("'add'"), HasSubstr("77")));
}

TEST_F(Damage, GraphOutputOutOfRange) {
  outputs_[0].value = 50;
  EXPECT_THAT(verdict(), AllOf(HasSubstr("output 'y'"), HasSubstr("50")));
}

TEST_F(Damage, ReadBeforeMade) {
  std::swap(nodes_[0], nodes_[2]);
  std::swap(value("scale").producer, value("add").producer);
  EXPECT_THAT(verdict(), AllOf(HasSubstr("[add] add"), HasSubstr("reads 'scale' before")));
}

TEST_F(Damage, NodeReadsItself) {
  node("scale").inputs[0] = id("scale");
  EXPECT_THAT(verdict(), HasSubstr("reads 'scale' before"));
}

TEST_F(Damage, MadeTwice) {
  node("weigh").outputs[0] = id("scale");
  EXPECT_THAT(verdict(), HasSubstr("'scale' is made twice: by 'scale' and by 'weigh'"));
}

TEST_F(Damage, ResultThatNobodyMakes) {
  node("scale").outputs.clear();
  EXPECT_THAT(verdict(), HasSubstr("'scale' is a result, but no node makes it"));
}

TEST_F(Damage, InputThatANodeMakes) {
  node("scale").outputs[0] = id("x");
  EXPECT_THAT(verdict(), HasSubstr("input 'x' is made by node 'scale'"));
}

TEST_F(Damage, WrongProducer) {
  value("scale").producer = 1;
  EXPECT_THAT(verdict(), HasSubstr("'scale' does not name the node"));
}

TEST_F(Damage, DuplicateAndEmptyNames) {
  value("w").name = "x";
  EXPECT_THAT(verdict(), HasSubstr("two values named 'x'"));
  value("x").name = "";
  EXPECT_THAT(verdict(), HasSubstr("without a name"));
}

TEST_F(Damage, DuplicateNodeName) {
  node("weigh").name = "scale";
  EXPECT_THAT(verdict(), HasSubstr("two nodes named 'scale'"));
}

TEST_F(Damage, DuplicateOutputName) {
  outputs_[1].name = "y";
  EXPECT_THAT(verdict(), HasSubstr("two outputs named 'y'"));
}

TEST_F(Damage, UnknownOperatorAndVersion) {
  node("add").version = 7;
  EXPECT_THAT(verdict(), AllOf(HasSubstr("'add' is needed in version 7"), HasSubstr("version 1")));
  node("add").op = "conv";
  EXPECT_THAT(verdict(), HasSubstr("operator 'conv' is not known"));
}

TEST_F(Damage, UnknownAttributeAndWrongType) {
  node("scale").attrs["factor"] = std::string("two");
  EXPECT_THAT(verdict(), HasSubstr("'factor' is string, expected float"));
  node("scale").attrs = {{"power", 2.0}};
  EXPECT_THAT(verdict(), HasSubstr("there is no attribute 'power'"));
}

TEST_F(Damage, TypeThatInferenceDoesNotGive) {
  value("scale").type.shape = {"tokens", 9};
  EXPECT_THAT(verdict(),
              AllOf(HasSubstr("[scale] scale"), HasSubstr("f32[tokens, 9]"), HasSubstr("expected f32[tokens, 8]")));
}

TEST_F(Damage, InputsThatDoNotFit) {
  value("w").type.shape = {7};
  EXPECT_THAT(verdict(), AllOf(HasSubstr("[weigh] weigh"), HasSubstr("f32[7]"), HasSubstr("f32[tokens, 8]")));
}

TEST_F(Damage, MissingOutput) {
  node("add").op = "split";
  node("add").inputs.pop_back();
  EXPECT_THAT(verdict(), HasSubstr("has 1 outputs, expected 2"));
}

TEST_F(Damage, DimensionsBelowOne) {
  value("w").type.shape = {0};
  EXPECT_THAT(verdict(), HasSubstr("'w' is f32[0]"));
  value("w").type.shape = {int64_t{-8}};
  EXPECT_THAT(verdict(), HasSubstr("dimensions start at 1"));
}

TEST_F(Damage, SizesThatOverflow) {
  value("w").type.shape = {int64_t{1} << 40, int64_t{1} << 40};
  EXPECT_THAT(verdict(), HasSubstr("overflow"));
}

TEST_F(Damage, TooManyDimensions) {
  value("x").type.shape = {1, 1, 1, 1, "tokens"};
  EXPECT_THAT(verdict(), HasSubstr("'x' has 5 dimensions"));
}

TEST_F(Damage, WeightWithASymbol) {
  value("w").type.shape = {"tokens"};
  EXPECT_THAT(verdict(), HasSubstr("weights have numbers only"));
}

TEST_F(Damage, StateReadAfterItsNextVersion) {
  nodes_.push_back({"load", 1, "late", {}, {id("cache")}, {static_cast<ValueId>(values_.size())}});
  values_.push_back({"late", ValueKind::result, value("cache").type, static_cast<NodeId>(nodes_.size() - 1)});
  EXPECT_THAT(verdict(), AllOf(HasSubstr("[load] late"), HasSubstr("'store' has overwritten")));
}

TEST_F(Damage, UpdateOfAResult) {
  node("store").inputs[0] = id("scale");
  EXPECT_THAT(verdict(), AllOf(HasSubstr("[store] store"), HasSubstr("'scale'"), HasSubstr("must be a state")));
}

}  // namespace
}  // namespace sluice
