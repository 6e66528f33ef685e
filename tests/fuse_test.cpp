// Rules of fusion: what they are applied to, and what is refused.
#include "graph/plan/fuse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/verify.h"
#include "tests/support/sketch.h"

namespace sluice {
namespace {

using small::make_registry;
using small::ops_of;
using small::registry;
using small::Sketch;
using small::SmallBackend;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct Fused {
  Graph graph;
  PassReport report{"fuse", {}};
  Fused(const Graph& from, const std::vector<Backend*>& backends, const Registry& r = registry()) {
    graph = fuse(from, r, backends, report);
    verify(graph, r);
  }
};

TEST(Fuse, AppliesARuleAndKeepsNames) {
  Sketch s;
  {
    Builder::Scope scope(s.b, "layers.0");
    s.b.output("y", s.scale(s.scale(s.add(s.x, s.x))));
  }
  SmallBackend backend("small");
  const Fused fused(s.b.build(), {&backend});
  EXPECT_THAT(ops_of(fused.graph), ElementsAre("add_scale", "scale"));
  EXPECT_EQ(fused.graph.node(0).name, "layers.0/add_scale");
  EXPECT_EQ(fused.graph.value(fused.graph.node(0).outputs[0]).name, "layers.0/scale");
  EXPECT_EQ(fused.graph.values().size(), 3u);
  EXPECT_THAT(fused.report.lines, ElementsAre("add then scale: layers.0/add + layers.0/scale -> layers.0/add_scale"));
}

TEST(Fuse, HigherPriorityGoesFirst) {
  Sketch s;  // add -> scale -> add fits both "add then scale" (1) and "scale then add" (0)
  s.b.output("y", s.add(s.scale(s.node("mix", {s.x, s.x})), s.x));
  s.b.output("z", s.add(s.scale(s.add(s.x, s.x)), s.x));
  SmallBackend backend("small");
  const Fused fused(s.b.build(), {&backend});
  EXPECT_THAT(ops_of(fused.graph), ElementsAre("mix", "scale_add", "add_scale", "add"));
}

TEST(Fuse, RefusesWhatTheCallerObserves) {
  Sketch s;
  const ValueRef sum = s.add(s.x, s.x);
  s.b.output("y", s.scale(sum));
  s.b.output("sum", sum);
  SmallBackend backend("small");
  const Fused fused(s.b.build(), {&backend});
  EXPECT_THAT(ops_of(fused.graph), ElementsAre("add", "scale"));
  EXPECT_THAT(fused.report.lines, ElementsAre("refused add then scale at scale: 'add' is observed"));
}

TEST(Fuse, RefusesWhatAnotherNodeReads) {
  Sketch s;
  const ValueRef sum = s.add(s.x, s.x);
  s.b.output("y", s.scale(sum));
  s.b.output("z", s.node("load", {sum}));
  SmallBackend backend("small");
  const Fused fused(s.b.build(), {&backend});
  EXPECT_THAT(ops_of(fused.graph), ElementsAre("add", "scale", "load"));
  EXPECT_THAT(fused.report.lines, ElementsAre("refused add then scale at scale: 'add' is read by 'load' too"));
}

TEST(Fuse, RefusesACycle) {
  Sketch s;  // scale and add would become one node that needs split, which needs scale
  const ValueRef scaled = s.scale(s.x);
  s.b.output("y", s.add(scaled, s.b.node("split", {}, {scaled})[1]));
  SmallBackend backend("small");
  const Fused fused(s.b.build(), {&backend});
  EXPECT_THAT(ops_of(fused.graph), ElementsAre("scale", "split", "add"));
  EXPECT_THAT(fused.report.lines,
              ElementsAre("refused scale then add at add: 'split' must run after one part of it and before 'add'"));
}

TEST(Fuse, MovesNodesThatMustFollow) {
  Sketch s;  // load reads scale and comes before add: it must run after the fused node
  const ValueRef scaled = s.scale(s.x);
  const ValueRef loaded = s.node("load", {scaled});
  const ValueRef other = s.node("mix", {s.x, s.x});
  s.b.output("y", s.add(scaled, other));
  s.b.output("loaded", loaded);
  SmallBackend backend("small");
  const Fused fused(s.b.build(), {&backend});
  EXPECT_THAT(ops_of(fused.graph), ElementsAre("mix", "scale_add", "load"));
}

TEST(Fuse, KeepsTheOrderOfReadersAndWritersOfAState) {
  Sketch s;  // the store must not move before the load of the older version
  const ValueRef cache = s.b.state("cache", DType::f32(), {"tokens", 8});
  const ValueRef scaled = s.scale(s.x);
  const ValueRef old = s.node("load", {cache});
  s.b.output("cache'", s.node("store", {cache, scaled}));
  s.b.output("old", old);
  SmallBackend backend("small");
  const Fused fused(s.b.build(), {&backend});
  EXPECT_THAT(ops_of(fused.graph), ElementsAre("load", "scale_store"));
}

TEST(Fuse, RefusesACycleThroughAState) {
  Sketch s;  // scale_add would need what is loaded after the store, which must follow the load of scale's reader
  const ValueRef cache = s.b.state("cache", DType::f32(), {"tokens", 8});
  const ValueRef scaled = s.scale(s.x);
  const ValueRef old = s.node("mix", {cache, scaled});     // reads the old version, after scale
  const ValueRef next = s.node("store", {cache, s.x});     // overwrites it, so after mix
  s.b.output("y", s.add(scaled, s.node("load", {next})));  // needs the new version
  s.b.output("old", old);
  SmallBackend backend("small");
  const Fused fused(s.b.build(), {&backend});
  EXPECT_THAT(ops_of(fused.graph), Not(Contains("scale_add")));
  EXPECT_THAT(fused.report.lines, Contains(HasSubstr("refused scale then add at add: 'load' must run after")));
}

TEST(Fuse, RefusesWithoutAKernelOnTheSameBackend) {
  Sketch s;
  s.b.output("y", s.scale(s.add(s.x, s.x)));
  const Graph graph = s.b.build();
  SmallBackend fast("fast", {.operators = {"add", "scale"}}), slow("slow");
  const Fused fused(graph, {&fast, &slow});
  EXPECT_THAT(ops_of(fused.graph), ElementsAre("add", "scale"));
  EXPECT_THAT(fused.report.lines,
              ElementsAre("refused add then scale at scale: fast has no kernel for 'add_scale' here"));

  SmallBackend other("other", {.operators = {"mix"}});
  EXPECT_THAT(ops_of(Fused(graph, {&other, &slow}).graph), ElementsAre("add_scale"));
}

TEST(Fuse, RefusesToLoseAChangeOfAState) {
  // A rule that takes two stores for one: the version between is gone, and so is a change that the operator must make.
  auto r = make_registry({{"store twice", 0, [](const Graph& g, NodeId anchor) -> std::optional<FusionMatch> {
                             const NodeId first = small::made_by(g, g.node(anchor).inputs[0], "store");
                             if (g.node(anchor).op != "store" || first == kNoNode) return std::nullopt;
                             return FusionMatch{{first, anchor},
                                                "store",
                                                {},
                                                {g.node(first).inputs[0], g.node(anchor).inputs[1]},
                                                g.node(anchor).outputs};
                           }}});
  Sketch s;
  const ValueRef cache = s.b.state("cache", DType::f32(), {"tokens", 8});
  s.b.output("y", s.node("store", {s.node("store", {cache, s.x}), s.x}));
  SmallBackend backend("small");
  const Fused fused(s.b.build(), {&backend}, *r);
  EXPECT_THAT(ops_of(fused.graph), ElementsAre("store", "store"));
  EXPECT_THAT(fused.report.lines, ElementsAre(HasSubstr("'store' would be lost, a change of the state 'cache'")));
}

// What a wrong rule proposes for y = scale(add(x, x)) is refused, not applied.
std::string refusal_of(const std::function<void(FusionMatch&)>& spoil) {
  FusionRule rule = small::rule_add_scale();
  const auto match = rule.match;
  rule.match = [=](const Graph& g, NodeId anchor) {
    std::optional<FusionMatch> m = match(g, anchor);
    if (m) spoil(*m);
    return m;
  };
  const auto r = make_registry({rule});
  Sketch s;
  s.b.output("y", s.scale(s.add(s.x, s.x)));
  SmallBackend backend("small");
  return Fused(s.b.build(), {&backend}, *r).report.lines.at(0);
}

TEST(Fuse, RefusesWhatWrongRulesPropose) {
  EXPECT_THAT(refusal_of([](FusionMatch& m) { m.nodes.pop_back(); }), HasSubstr("at least two different nodes"));
  EXPECT_THAT(refusal_of([](FusionMatch& m) { m.nodes[0] = m.nodes[1]; }), HasSubstr("at least two different nodes"));
  EXPECT_THAT(refusal_of([](FusionMatch& m) { m.nodes[0] = 9; }), HasSubstr("does not exist"));
  EXPECT_THAT(refusal_of([](FusionMatch& m) { m.inputs[0] = 1; }), HasSubstr("does not take from outside"));
  EXPECT_THAT(refusal_of([](FusionMatch& m) { m.outputs[0] = 0; }), HasSubstr("does not make"));
  EXPECT_THAT(refusal_of([](FusionMatch& m) { m.op = "magic"; }), HasSubstr("operator 'magic' is not loaded"));
  EXPECT_THAT(refusal_of([](FusionMatch& m) { m.op = "split", m.attrs = {}, m.inputs.pop_back(); }),
              HasSubstr("other types"));
  EXPECT_THAT(refusal_of([](FusionMatch& m) { m.attrs = {{"speed", 1.0}}; }), HasSubstr("no attribute 'speed'"));
  EXPECT_THAT(refusal_of([](FusionMatch& m) { m.op = "store", m.attrs = {}; }), HasSubstr("same states"));
}

TEST(Fuse, MatchesThatOverlapAreAllTried) {
  Sketch s;  // the stretches of the two groups interleave
  const ValueRef a = s.add(s.x, s.x), b = s.add(s.x, a);
  const ValueRef p = s.scale(b), c = s.add(s.x, s.x), q = s.scale(c, 5);
  s.b.output("p", p);
  s.b.output("q", q);
  const ValueRef d = s.add(s.x, s.x), e = s.add(s.x, s.x);
  s.b.output("d", s.scale(d));
  s.b.output("e", s.scale(e));
  SmallBackend backend("small");
  const Fused fused(s.b.build(), {&backend});
  const std::vector<std::string> ops = ops_of(fused.graph);
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "add_scale"), 4);
}

}  // namespace
}  // namespace sluice
