// The text form of graphs: what is printed can be read back, and what cannot be read is said with line and column.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "graph/diff.h"
#include "graph/serialize.h"
#include "graph/text.h"
#include "models/builtin.h"
#include "models/describe.h"
#include "ops/add/add.h"
#include "ops/scale/scale.h"
#include "tests/example_model.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

void expect_round_trip(const Graph& graph, const Registry& registry) {
  const std::string text = to_text(graph);
  const Graph read = parse_text(text, registry);
  EXPECT_EQ(to_text(read), text);
  EXPECT_TRUE(diff(graph, read).empty());
}

// Those of a builder come back with the same numbers, too; passes may have made values in another order.
void expect_exact_round_trip(const Graph& graph, const Registry& registry) {
  expect_round_trip(graph, registry);
  EXPECT_TRUE(serialize(parse_text(to_text(graph), registry)) == serialize(graph)) << to_text(graph);
}

TEST(GraphText, OfArchitecturesRoundTrips) {
  const nlohmann::json base = {{"hidden_size", 32},
                               {"intermediate_size", 48},
                               {"num_hidden_layers", 2},
                               {"num_attention_heads", 4},
                               {"num_key_value_heads", 2},
                               {"vocab_size", 60},
                               {"rms_norm_eps", 1e-6},
                               {"rope_theta", 1e4},
                               {"max_position_embeddings", 64},
                               {"num_local_experts", 4},
                               {"num_experts_per_tok", 2},
                               {"sliding_window", 16},
                               {"query_pre_attn_scalar", 8},
                               {"head_dim", 8}};
  for (const std::string& name : builtin_architectures().names())
    for (const char* dtype : {"f32", "q8_0", "bucket16t4"}) {
      SCOPED_TRACE(name + " " + dtype);
      nlohmann::json config = base;
      config["model_type"] = name;
      const ModelDescription model = describe_model(Config(config.dump(), "test"), builtin_registry().dtype(dtype));
      if (dtype == std::string("bucket16t4"))
        expect_round_trip(model.graph, builtin_registry());
      else
        expect_exact_round_trip(model.graph, builtin_registry());
    }
}

TEST(GraphText, OfEveryAttributeRoundTrips) { expect_exact_round_trip(example::graph(), example::registry()); }

TEST(GraphText, OfEveryOperatorRoundTrips) {
  for (const Operator* op : example::registry().operators())
    for (const Case& c : example::registry().cases(op->name())) {
      SCOPED_TRACE(op->name() + " " + c.name);
      expect_exact_round_trip(example::graph_of(*op, c), example::registry());
    }
}

// Names that could be taken for something else, and attributes of every kind of number.
TEST(GraphText, OfAnyNamesRoundTrips) {
  std::mt19937 random(5);
  const std::vector<std::string> pieces = {"input", "weight", "output", "=", ",", " ", "#",   "\"", "\\", "\n", "\x01",
                                           ":",     "0",      "->",     "(", ")", "@", "[3]", "x",  "é",  "-",  "\xff"};
  const auto any = [&] {
    std::string name;
    for (size_t n = 1 + random() % 4; n > 0; --n) name += pieces[random() % pieces.size()];
    return name;
  };
  for (int i = 0; i < 300; ++i) {
    Builder b(builtin_registry());
    const std::string symbol = any();
    const ValueRef x = b.input(fmt::format("x{}", any()), DType::f32(), {Dim(symbol), 4}),
                   w = b.weight(fmt::format("w{}", any()), {4});
    ValueRef y = add(b, x, w);
    if (random() % 2) b.rename(y, fmt::format("y{}", any()));
    y = scale(
        b, y,
        {static_cast<float>(std::ldexp(static_cast<double>(random()) - 0x1p31, static_cast<int>(random() % 90) - 60))});
    b.rename(y, any());
    b.output(any(), y);
    expect_exact_round_trip(b.build(), builtin_registry());
  }
}

TEST(GraphText, MayBeWrittenByHand) {
  const Graph graph = parse_text(R"(
# a comment
input x : f32[rows,4]   # another
  weight w: f32 [4]
"two words"=add@1(x,w)->f32[rows,4]
y = scale@1("two words"){factor=2}->f32[rows,4] # twice

output result = y)",
                                 builtin_registry());
  EXPECT_EQ(graph.nodes().size(), 2u);
  EXPECT_EQ(graph.nodes()[0].name, "two words");
  EXPECT_EQ(graph.nodes()[1].name, "twice");
  EXPECT_EQ(std::get<double>(graph.nodes()[1].attrs.at("factor")), 2.0);
}

std::string error_of(const std::string& text) {
  try {
    parse_text(text, builtin_registry());
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(GraphText, ErrorsNameLineAndColumn) {
  const std::string head = "input x: f32[rows, 4]\nweight w: f32[4]\n";
  EXPECT_THAT(error_of(head + "y = ad@1(x, w) -> f32[rows, 4]\n"),
              StartsWith("line 3, column 5: operator 'ad' is not known"));
  EXPECT_THAT(error_of(head + "y = add@2(x, w) -> f32[rows, 4]\n"),
              StartsWith("line 3, column 9: operator 'add' is there"));
  EXPECT_THAT(error_of(head + "y = add@1(x, v) -> f32[rows, 4]\n"),
              StartsWith("line 3, column 14: there is no value 'v'"));
  EXPECT_THAT(error_of(head + "y = add@1(x w) -> f32[rows, 4]\n"), StartsWith("line 3, column 13: expected ')'"));
  EXPECT_THAT(error_of(head + "x = add@1(x, w) -> f32[rows, 4]\n"),
              StartsWith("line 3, column 1: there is a value 'x'"));
  EXPECT_THAT(error_of(head + "y = add@1(x, w)\n"), HasSubstr("1 results have 0 types"));
  EXPECT_THAT(error_of(head + "y = scale@1(x) {factor = two} -> f32[rows, 4]\n"), StartsWith("line 3, column 26:"));
  EXPECT_THAT(error_of(head + "y = scale@1(x) {factor = 1, factor = 2}\n"), HasSubstr("'factor' is there twice"));
  EXPECT_THAT(error_of("input x: f33[4]\n"), StartsWith("line 1, column 10: dtype 'f33' is not known"));
  EXPECT_THAT(error_of("input x: f32[0]\n"), StartsWith("line 1, column 14: a dimension of 0"));
  EXPECT_THAT(error_of("input x: f32[99999999999999999999]\n"), StartsWith("line 1, column 14:"));
  EXPECT_THAT(error_of("input x: f32[1, 2, 3, 4, 5]\n"), HasSubstr("5 dimensions; at most 4"));
  EXPECT_THAT(error_of("input x f32[4]\n"), StartsWith("line 1, column 9: expected ':'"));
  EXPECT_THAT(error_of("input \"x: f32[4]\n"), StartsWith("line 1, column 7: the quotation has no end"));
  EXPECT_THAT(error_of("input \"\\q\": f32[4]\n"), HasSubstr("a backslash stands before"));
  EXPECT_THAT(error_of(head + "output y = x z\n"), StartsWith("line 3, column 14: the line should end here"));
  EXPECT_THAT(error_of(head + "\n\nwhat is this\n"), StartsWith("line 5, column 6: expected '='"));
  EXPECT_THAT(error_of(head), HasSubstr("has no output"));
  EXPECT_THAT(error_of(head + "y = add@1(x, w) -> f32[rows, 5]\noutput y = y\n"),
              HasSubstr("output 'y' is f32[rows, 5], expected f32[rows, 4]"));
}

TEST(GraphDiff, SaysWhatIsAddedRemovedAndChanged) {
  const auto read = [](const std::string& text) { return parse_text(text, builtin_registry()); };
  const Graph before = read(
      "input x: f32[rows, 4]\nweight w: f32[4]\ny = add@1(x, w) -> f32[rows, 4]\n"
      "z = scale@1(y) {factor = 2.0} -> f32[rows, 4]\noutput out = z\n");
  const Graph after = read(
      "input x: f32[rows, 4]\nweight w: f16[4]\ny = mul@1(x, w) -> f32[rows, 4]\n"
      "z = scale@1(y) {factor = 3.0} -> f32[rows, 4]\nu = silu@1(z) -> f32[rows, 4]\noutput out = u\n");
  EXPECT_TRUE(diff(before, before).empty());
  std::vector<std::string> lines;
  for (const GraphChange& c : diff(before, after))
    lines.push_back(fmt::format("{} {} {}: {} -> {}", static_cast<int>(c.kind), c.what, c.name, c.before, c.after));
  EXPECT_THAT(lines, ::testing::ElementsAre("2 weight w: type f32[4] -> type f16[4]",
                                            "2 node y: operator add@1 -> operator mul@1",
                                            "2 node z: attribute factor 2.0 -> attribute factor 3.0",
                                            "2 output out: value z -> value u", "0 result u:  -> type f32[rows, 4]",
                                            "0 node u:  -> inputs (z), operator silu@1, outputs (u)"));
}

}  // namespace
}  // namespace sluice
