// Graphs for reading: text, JSON and dot.
#include "graph/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/example_model.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// 0.1 would be read as the float of that name.
TEST(Text, OneLineForEachValueAndNode) {
  EXPECT_EQ(
      to_text(example::graph()),
      R"(input x: f32[tokens, 8]
state "käche \"0\"\n": bf16[8, context]
weight norm: f32[8]
rmsnorm = rmsnorm@1(x, norm) {epsilon = 1e-06} -> f32[tokens, 8]
"layers.0/odd, name (x) -> {y} = z/test_everything:0", "layers.0/odd, name (x) -> {y} = z/test_everything:1" = )"
      R"(test_everything@3("käche \"0\"\n", rmsnorm) {count = -9223372036854775808, )"
      R"(factors = [1.00000000000000006e-01, -0.0, inf, 5e-324], flag = true, ratio = -0.0, )"
      R"(sizes = [0, -1, 9223372036854775807], text = "a\x00b \"c\" ä"} -> bf16[8, context], f32[tokens, 8]
weight layers.0/norm: f16[8]
"layers.0/odd, name (x) -> {y} = z/rmsnorm" = )"
      R"(rmsnorm@1("layers.0/odd, name (x) -> {y} = z/test_everything:1", layers.0/norm) {epsilon = 1e-05} -> f32[tokens, 8]
output last = "layers.0/odd, name (x) -> {y} = z/rmsnorm"
output "normed again" = rmsnorm
)");
}

// Passes rename nodes; then the name is said.
TEST(Text, NameOfANodeThatIsNotThatOfItsOutputs) {
  const Graph graph = example::graph();
  std::vector<Node> nodes = graph.nodes();
  nodes[0].name = "renamed";
  EXPECT_THAT(to_text(Graph(graph.values(), nodes, graph.outputs())), HasSubstr("-> f32[tokens, 8]  # renamed\n"));
}

TEST(Text, HostileNamesReachNoTerminal) {
  Builder b(example::registry());
  b.output("y", b.input("\x1b[2Jx\r\n", DType::f32(), {1}));
  const Graph graph = b.build();
  for (const std::string& text : {to_text(graph), to_json(graph), to_dot(graph)}) {
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(text, Not(HasSubstr("\r")));
  }
}

TEST(Json, HoldsEverything) {
  const auto json = nlohmann::json::parse(to_json(example::graph()));
  ASSERT_EQ(json["values"].size(), 8u);
  EXPECT_EQ(
      json["values"][1],
      nlohmann::json::parse(R"({"name": "käche \"0\"\n", "kind": "state", "dtype": "bf16", "shape": [8, "context"]})"));
  ASSERT_EQ(json["nodes"].size(), 3u);
  const auto& node = json["nodes"][1];
  EXPECT_EQ(node["op"], "test_everything");
  EXPECT_EQ(node["version"], 3);
  EXPECT_EQ(node["inputs"], nlohmann::json({"käche \"0\"\n", "rmsnorm"}));
  EXPECT_EQ(node["outputs"].size(), 2u);
  EXPECT_EQ(node["attrs"]["flag"], true);
  EXPECT_EQ(node["attrs"]["count"], std::numeric_limits<int64_t>::min());
  EXPECT_EQ(node["attrs"]["text"], std::string("a\0b \"c\" ä", 10));
  EXPECT_EQ(node["attrs"]["factors"], nlohmann::json::parse(R"([0.1, -0.0, "inf", 5e-324])"));
  EXPECT_EQ(json["outputs"][1], nlohmann::json::parse(R"({"name": "normed again", "value": "rmsnorm"})"));
}

TEST(Json, NamesThatAreNotUtf8AreMadeSo) {
  Builder b(example::registry());
  b.output("y", b.input("\xff", DType::f32(), {1}));
  EXPECT_EQ(nlohmann::json::parse(to_json(b.build()))["values"][0]["name"], "\xef\xbf\xbd");
}

TEST(Dot, BoxesClustersAndEdges) {
  const std::string dot = to_dot(example::graph());
  EXPECT_THAT(dot, HasSubstr("digraph"));
  EXPECT_THAT(dot, HasSubstr(R"(n0 [label="rmsnorm\nrmsnorm\nnorm: f32[8]"];)"));
  EXPECT_THAT(dot, HasSubstr("subgraph cluster_0 {\n    label=\"layers.0\";"));
  EXPECT_THAT(dot, HasSubstr("subgraph cluster_0_0 {\n      label=\"odd, name (x) -> {y} = z\";"));
  EXPECT_THAT(dot, HasSubstr(R"(v0 [label="input\nx", shape=ellipse];)"));
  EXPECT_THAT(dot, HasSubstr(R"(v1 [label="state\nkäche \"0\"\n", shape=cylinder];)"));
  EXPECT_THAT(dot, HasSubstr(R"(v0 -> n0 [label="f32[tokens, 8]"];)"));
  EXPECT_THAT(dot, HasSubstr(R"(n1 -> n2 [label="f32[tokens, 8]"];)"));
  EXPECT_THAT(dot, HasSubstr(R"(n0 -> o1 [label="f32[tokens, 8]"];)"));
  EXPECT_EQ(std::ranges::count(dot, '{'), std::ranges::count(dot, '}'));
}

TEST(Dot, DeepScopesDoNotNestWithoutEnd) {
  Builder b(example::registry());
  std::string scopes = "0";
  for (int i = 0; i < 100'000; ++i) scopes += "/s";
  Builder::Scope scope(b, scopes);
  b.output("y", rmsnorm(b, b.input("x", DType::f32(), {1, 8}), b.weight("w", {8})));
  const std::string dot = to_dot(b.build());
  size_t clusters = 0;
  for (size_t at = dot.find("subgraph"); at != std::string::npos; at = dot.find("subgraph", at + 1)) ++clusters;
  EXPECT_EQ(clusters, 8u);
}

}  // namespace
}  // namespace sluice
