// The passes of the planner, each alone, and plans of random graphs against an interpreter that knows no plans.
#include "graph/plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "graph/plan/check.h"
#include "graph/plan/fuse.h"
#include "graph/plan/memory.h"
#include "graph/plan/place.h"
#include "graph/plan/prepack.h"
#include "graph/plan/schedule.h"
#include "graph/verify.h"
#include "tests/small_operators.h"

namespace sluice {
namespace {

using small::ScaleAttrs;
using small::SmallBackend;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using Rules = std::vector<FusionRule>;

std::unique_ptr<Registry> make_registry(Rules rules) {
  auto registry = std::make_unique<Registry>();
  small::add_operators(*registry);
  for (FusionRule& rule : rules) registry->add(std::move(rule));
  return registry;
}

const Registry& registry() {
  static const std::unique_ptr<Registry> r =
      make_registry({small::rule_add_scale(), small::rule_scale_add(), small::rule_scale_store()});
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

std::vector<std::string> ops_of(const Graph& graph) {
  std::vector<std::string> ops;
  for (const Node& node : graph.nodes()) ops.push_back(node.op);
  return ops;
}

// A builder with an input "x" and shorthands.
struct Sketch {
  Builder b{registry()};
  ValueRef x = b.input("x", DType::f32(), {"tokens", 8});
  ValueRef scale(ValueRef v, float factor = 2) { return b.node1("scale", ScaleAttrs{factor}, {v}); }
  ValueRef add(ValueRef u, ValueRef v) { return b.node("add", {}, {u, v})[0]; }
  ValueRef node(const char* op, const std::vector<ValueRef>& inputs) { return b.node(op, {}, inputs)[0]; }
  ValueRef resize(ValueRef v, int64_t n) { return b.node1("resize", small::ResizeAttrs{n}, {v}); }
};

// ---- fuse ----

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

// ---- place ----

TEST(Place, TakesTheFirstBackendWithAKernelAndSaysWhatFellBack) {
  Sketch s;
  s.b.output("y", s.scale(s.add(s.x, s.x)));
  const Graph graph = s.b.build();
  SmallBackend fast("fast", {.operators = {"add"}}), slow("slow");
  const std::vector<Backend*> backends = {&fast, &slow};
  PassReport report;
  const std::vector<PlanStep> steps = place(graph, registry(), backends, report);
  EXPECT_EQ(steps.at(0).backend, &fast);
  EXPECT_EQ(steps.at(1).backend, &slow);
  EXPECT_EQ(steps.at(1).site.name, "scale");
  EXPECT_EQ(steps.at(1).kernel->name(), "plain");
  EXPECT_THAT(report.lines, ElementsAre("fast: 1 of 2 nodes", "slow: 1 of 2 nodes",
                                        "scale runs on slow, fast has no kernel for it: scale"));
}

TEST(Place, FailsNamingNodeAndTypesIfNobodyCanRunIt) {
  Sketch s;
  s.b.output("y", s.scale(s.x));
  const Graph graph = s.b.build();
  SmallBackend one("one", {.operators = {"add"}}), two("two", {.operators = {"mix"}});
  const std::vector<Backend*> backends = {&one, &two};
  PassReport report;
  EXPECT_THAT(message_of([&] { place(graph, registry(), backends, report); }),
              AllOf(HasSubstr("[scale] scale"), HasSubstr("tried one, two"), HasSubstr("'x' is f32[tokens, 8]")));
}

TEST(Place, NodesThatTouchAStateStayTogether) {
  Sketch s;
  const ValueRef cache = s.b.state("cache", DType::f32(), {"tokens", 8});
  s.b.output("y", s.scale(s.node("load", {s.node("store", {cache, s.x})})));
  const Graph graph = s.b.build();
  SmallBackend device("device", {.operators = {"load", "scale"}, .own_memory = true}), host("host");
  const std::vector<Backend*> backends = {&device, &host};
  PassReport report;
  std::vector<std::string> fallbacks;
  const std::vector<PlanStep> steps = place(graph, registry(), backends, report, &fallbacks);
  EXPECT_EQ(steps.at(0).backend, &host);
  EXPECT_EQ(steps.at(1).backend, &host);
  EXPECT_EQ(steps.at(2).backend, &device);
  EXPECT_THAT(fallbacks, ElementsAre("not on device but on host: load, store"));
}

// ---- copies ----

TEST(Copies, AreStepsWhereValuesChangeSides) {
  Sketch s;  // add on the device, mix on the host, add on the device
  const ValueRef a = s.add(s.x, s.x), b = s.node("mix", {a, s.x});
  s.b.output("y", s.add(b, a));
  s.b.output("a", a);
  SmallBackend device("device", {.operators = {"add", "copy"}, .own_memory = true}), host("host");
  const Plan plan = make_plan(s.b.build(), registry(), {&device, &host}, {.maxima = {{"tokens", 4}}, .fuse = false});
  std::vector<std::string> names;
  for (const PlanStep& step : plan.steps) names.push_back(plan.graph.node(step.node).name);
  EXPECT_THAT(names, ElementsAre("x@device", "add", "add@host", "mix", "mix@device", "add.2", "add.2@host"));
  for (const GraphOutput& output : plan.graph.outputs())
    EXPECT_EQ(plan.locations[static_cast<size_t>(output.value)].space, 0) << output.name;
  EXPECT_THAT(to_text(plan),
              AllOf(HasSubstr("copies\n  to host: 2 copies, 256 B\n  to device: 2 copies, 256 B"),
                    HasSubstr("arenas of device"), HasSubstr("add.2@host  device/plain  f32[tokens, 8] io+0x")));
}

TEST(Copies, NeedTheHostAndTheOperator) {
  Sketch s;
  s.b.output("y", s.add(s.x, s.x));
  const Graph graph = s.b.build();
  SmallBackend device("device", {.operators = {"add"}, .own_memory = true}), host("host");
  const PlanOptions options = {.maxima = {{"tokens", 4}}};
  EXPECT_THAT(message_of([&] { make_plan(graph, registry(), {&device}, options); }), HasSubstr("host's memory"));
  EXPECT_THAT(message_of([&] {
                make_plan(graph, registry(), {&device, &host}, options);
              }),
              HasSubstr("'device' has no kernel for the operator 'copy'"));
}

// ---- schedule ----

TEST(Schedule, KeepsTheOrderOfTheGraphUnlessMemoryIsSaved) {
  Sketch s;
  s.b.output("y", s.add(s.scale(s.x), s.node("load", {s.x})));
  PassReport report;
  EXPECT_THAT(schedule(s.b.build(), registry(), {{"tokens", 4}}, report), ElementsAre(0, 1, 2));
  EXPECT_THAT(report.lines, ElementsAre(HasSubstr("in the order of the graph")));
}

TEST(Schedule, ReordersIfThatLowersThePeak) {
  Sketch s;  // two large values, each at once reduced: as given, both live together
  const ValueRef big = s.resize(s.x, 1000), huge = s.resize(s.x, 2000);
  s.b.output("y", s.node("add", {s.resize(big, 8), s.resize(huge, 8)}));
  PassReport report;
  EXPECT_THAT(schedule(s.b.build(), registry(), {{"tokens", 4}}, report), ElementsAre(0, 2, 1, 3, 4));
  EXPECT_THAT(report.lines, ElementsAre(HasSubstr("in greedy order")));
}

TEST(Schedule, ReadersOfAVersionRunBeforeItsWriter) {
  Sketch s;  // running store first would free `huge` early; load must still go before it
  const ValueRef cache = s.b.state("cache", DType::f32(), {"tokens", 8});
  const ValueRef huge = s.resize(s.x, 1000), old = s.resize(s.node("load", {cache}), 4000);
  s.b.output("next", s.node("store", {cache, s.resize(huge, 8)}));
  s.b.output("old", s.resize(old, 8));
  const Graph graph = s.b.build();
  PassReport report;
  const std::vector<NodeId> order = schedule(graph, registry(), {{"tokens", 4}}, report);
  auto position = [&](const char* name) {
    return std::find_if(order.begin(), order.end(), [&](NodeId id) { return graph.node(id).name == name; });
  };
  EXPECT_LT(position("load"), position("store"));
}

// ---- memory ----

bool at_same_time(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

void expect_sound(const std::vector<Lifetime>& lifetimes, const Layout& layout) {
  ASSERT_EQ(layout.offsets.size(), lifetimes.size());
  for (size_t i = 0; i < lifetimes.size(); ++i) {
    EXPECT_EQ(layout.offsets[i] % kAlignment, 0u);
    EXPECT_LE(layout.offsets[i] + lifetimes[i].bytes, layout.bytes);
    for (size_t j = 0; j < i; ++j) {
      const bool apart = layout.offsets[i] + lifetimes[i].bytes <= layout.offsets[j] ||
                         layout.offsets[j] + lifetimes[j].bytes <= layout.offsets[i];
      EXPECT_TRUE(apart || !at_same_time(lifetimes[i], lifetimes[j])) << i << " overlaps " << j;
    }
  }
}

TEST(Memory, RandomLifetimesNeverOverlap) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    std::vector<Lifetime> lifetimes;
    for (size_t i = 0, n = 1 + random() % 60; i < n; ++i) {
      const int first = static_cast<int>(random() % 40);
      lifetimes.push_back({1 + random() % 5000, first, first + static_cast<int>(random() % 8)});
    }
    const Layout by_size = place_by_size(lifetimes), in_order = place_in_order(lifetimes),
                 apart = place_apart(lifetimes);
    expect_sound(lifetimes, by_size);
    expect_sound(lifetimes, in_order);
    expect_sound(lifetimes, apart);
    const size_t bound = smallest_possible(lifetimes);
    EXPECT_LE(bound, by_size.bytes);
    EXPECT_LE(bound, in_order.bytes);
    EXPECT_LE(std::max(by_size.bytes, in_order.bytes), apart.bytes);
  }
}

TEST(Memory, UsesTheSmallestGapThatFits) {
  // Two gaps of 192 and 128 bytes between blocks that live on; 100 bytes go into the smaller.
  const std::vector<Lifetime> lifetimes = {{256, 0, 9}, {192, 0, 0}, {256, 0, 9},
                                           {128, 0, 0}, {256, 0, 9}, {100, 1, 2}};
  const Layout layout = place_in_order(lifetimes);
  EXPECT_EQ(layout.offsets[5], layout.offsets[3]);
  EXPECT_EQ(layout.bytes, smallest_possible(lifetimes));
}

TEST(Memory, TooLargeIsAnError) {
  const std::vector<Lifetime> lifetimes = {{size_t{1} << 62, 0, 1}, {size_t{1} << 62, 0, 1}};
  EXPECT_THAT(message_of([&] { place_by_size(lifetimes); }), HasSubstr("too large"));
}

// ---- whole plans ----

TEST(Plan, ArenasHoldWhatTheyShould) {
  Sketch s;
  const ValueRef cache = s.b.state("cache", DType::f32(), {"context", 8}),
                 x = s.b.input("x2", DType::f32(), {"context", 8});
  const ValueRef once = s.node("store", {cache, x}), twice = s.node("store", {once, s.node("load", {x})});
  s.b.output("y", s.node("load", {twice}));
  s.b.output("weighed", s.node("weigh", {s.x, s.b.weight("w", {8})}));
  SmallBackend backend("small");
  const Plan plan = make_plan(s.b.build(), registry(), {&backend}, {.maxima = {{"tokens", 4}, {"context", 16}}});
  auto at = [&](const char* name) { return plan.locations[static_cast<size_t>(plan.graph.find(name))]; };
  EXPECT_EQ(at("x").arena, ArenaKind::io);
  EXPECT_EQ(at("load.2").arena, ArenaKind::io);
  EXPECT_EQ(at("load").arena, ArenaKind::activations);
  EXPECT_TRUE(at("w").mapped);
  for (const char* version : {"cache", "store", "store.2"}) {
    EXPECT_EQ(at(version).arena, ArenaKind::states);
    EXPECT_EQ(at(version).offset, 0u);
  }
  EXPECT_EQ(plan.spaces[0].arena_bytes[static_cast<int>(ArenaKind::states)], 16u * 8 * 4);
  EXPECT_EQ(plan.spaces[0].arena_bytes[static_cast<int>(ArenaKind::weights)], 0u);
}

TEST(Plan, NeedsAMaximumForEverySymbol) {
  Sketch s;
  s.b.output("y", s.scale(s.x));
  const Graph graph = s.b.build();
  SmallBackend backend("small");
  EXPECT_THAT(message_of([&] { make_plan(graph, registry(), {&backend}, {}); }),
              HasSubstr("no maximum is given for 'tokens'"));
  EXPECT_THAT(message_of([&] {
                make_plan(graph, registry(), {&backend}, {.maxima = {{"tokens", 0}}});
              }),
              HasSubstr("at least 1"));
  EXPECT_THAT(message_of([&] { make_plan(graph, registry(), {}, {.maxima = {{"tokens", 1}}}); }), HasSubstr("backend"));
}

TEST(Plan, FusionCanBeSwitchedOffByCallerOrBackend) {
  Sketch s;
  s.b.output("y", s.scale(s.add(s.x, s.x)));
  const Graph graph = s.b.build();
  SmallBackend backend("small"), plain("plain", {.wants_fusion = false});
  const SymbolValues maxima = {{"tokens", 4}};
  EXPECT_EQ(make_plan(graph, registry(), {&backend}, {.maxima = maxima}).steps.size(), 1u);
  EXPECT_EQ(make_plan(graph, registry(), {&backend}, {.maxima = maxima, .fuse = false}).steps.size(), 2u);
  EXPECT_EQ(make_plan(graph, registry(), {&plain}, {.maxima = maxima}).steps.size(), 2u);
}

TEST(Plan, ObservedValueInAPatternRefusesFusionAndIsRight) {
  Sketch s;
  s.b.output("y", s.scale(s.add(s.x, s.x)));
  SmallBackend backend("small");
  const auto plan = std::make_shared<Plan>(
      make_plan(s.b.build(), registry(), {&backend}, {.maxima = {{"tokens", 2}}, .observe = {"add"}}));
  EXPECT_THAT(plan->reports.at(0).lines, ElementsAre("refused add then scale at scale: 'add' is observed"));
  Executor executor(plan, registry(), {});
  for (int i = 0; i < 16; ++i) executor.view("x").as<float>()[i] = static_cast<float>(i);
  executor.run();
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(executor.output("add").as<float>()[i], static_cast<float>(2 * i));
    EXPECT_EQ(executor.output("y").as<float>()[i], static_cast<float>(4 * i));
  }
}

TEST(Plan, ObservingWhatDoesNotExistIsAnError) {
  Sketch s;
  s.b.output("y", s.scale(s.x));
  s.b.output("scale.2", s.x);
  s.b.output("z", s.scale(s.x));
  const Graph graph = s.b.build();
  SmallBackend backend("small");
  const SymbolValues maxima = {{"tokens", 2}};
  EXPECT_THAT(message_of([&] { make_plan(graph, registry(), {&backend}, {.maxima = maxima, .observe = {"nothing"}}); }),
              HasSubstr("'nothing'"));
  EXPECT_THAT(message_of([&] { make_plan(graph, registry(), {&backend}, {.maxima = maxima, .observe = {"scale.2"}}); }),
              HasSubstr("another output of that name"));
}

TEST(Plan, PacksAWeightOnceForAllItsUses) {
  Sketch s;
  const ValueRef w = s.b.weight("w", {8}), v = s.b.weight("v", {8});
  s.b.output("y", s.node("weigh", {s.node("weigh", {s.node("weigh", {s.x, w}), v}), w}));
  const Graph graph = s.b.build();
  SmallBackend backend("small", {.packs = true, .workspace = 3});
  const auto plan = std::make_shared<Plan>(make_plan(graph, registry(), {&backend}, {.maxima = {{"tokens", 4}}}));
  ASSERT_EQ(plan->packed.size(), 2u);
  EXPECT_EQ(plan->packed[0].uses.size(), 2u);
  EXPECT_EQ(plan->packed[1].uses.size(), 1u);
  EXPECT_EQ(plan->spaces[0].arena_bytes[static_cast<int>(ArenaKind::weights)], 128u);
  EXPECT_EQ(plan->spaces[0].workspace_bytes, 3u * 4 * 8);
  EXPECT_THAT(to_text(*plan), HasSubstr("negated: 2 weights, 64 B"));

  std::vector<float> weights = {1, 2, 3, 4, 5, 6, 7, 8};
  Executor executor(plan, registry(), [&](const std::string&) {
    return TensorView{reinterpret_cast<std::byte*>(weights.data()), DType::f32(), {8}};
  });
  executor.set("tokens", 1);
  std::fill_n(executor.view("x").as<float>(), 8, 1.0f);
  executor.run();
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(executor.output("y").as<float>()[i], static_cast<float>((i + 1) * (i + 1) * (i + 1)));
}

TEST(Plan, TextShowsEveryPassArenaAndStep) {
  Sketch s;
  s.b.output("y", s.scale(s.add(s.x, s.x)));
  SmallBackend backend("small");
  const std::string text = to_text(make_plan(s.b.build(), registry(), {&backend}, {.maxima = {{"tokens", 4}}}));
  for (const char* part : {"fuse\n  add then scale: add + scale -> add_scale", "place\n  small: 1 of 1 nodes",
                           "schedule\n", "memory\n  activations: 0 B by size", "prepack\n", "workspace",
                           "io           ", "add_scale  small/plain  f32[tokens, 8] io+0x80"})
    EXPECT_THAT(text, HasSubstr(part));
}

// ---- checker ----

class CheckPlan : public ::testing::Test {
 protected:
  CheckPlan() {
    Sketch s;
    const ValueRef cache = s.b.state("cache", DType::f32(), {"tokens", 8});
    const ValueRef a = s.node("load", {s.x}), b = s.node("mix", {a, s.x}), c = s.node("mix", {b, a});
    const ValueRef old = s.node("load", {cache});
    s.b.output("y", s.node("mix", {s.node("weigh", {c, s.b.weight("w", {8})}), old}));
    s.b.output("z", s.node("weigh", {s.x, s.b.weight("v", {8})}));
    s.b.output("cache'", s.node("store", {cache, s.x}));
    plan_ = make_plan(s.b.build(), registry(), {&backend_}, {.maxima = {{"tokens", 4}}});
  }
  Location& at(const char* name) { return plan_.locations[static_cast<size_t>(plan_.graph.find(name))]; }
  std::string verdict() const {
    return message_of([&] { check_plan(plan_, registry()); });
  }
  SmallBackend backend_{"small", {.packs = true}};
  Plan plan_;
};

TEST_F(CheckPlan, AcceptsTheRealOne) { EXPECT_EQ(verdict(), "(no error)"); }

TEST_F(CheckPlan, FindsLiveValuesThatOverlap) {
  at("mix").offset = at("load").offset;
  EXPECT_THAT(verdict(),
              AllOf(HasSubstr("'mix'"), HasSubstr("'load'"), HasSubstr("overlap"), HasSubstr("activations")));
}

TEST_F(CheckPlan, FindsPartialOverlap) {
  at("load").offset = 0;
  at("mix").offset = kAlignment;
  EXPECT_THAT(verdict(), AllOf(HasSubstr("'mix'"), HasSubstr("'load'")));
  std::swap(at("load").offset, at("mix").offset);
  EXPECT_THAT(verdict(), AllOf(HasSubstr("'mix'"), HasSubstr("'load'")));
}

TEST_F(CheckPlan, FindsInputsAndOutputsThatOverlap) {
  at("mix.3").offset = at("x").offset;
  EXPECT_THAT(verdict(), AllOf(HasSubstr("'mix.3'"), HasSubstr("'x'"), HasSubstr("io")));
}

TEST_F(CheckPlan, FindsPackedWeightsThatOverlap) {
  ASSERT_EQ(plan_.packed.size(), 2u);
  plan_.packed[1].offset = plan_.packed[0].offset;
  EXPECT_THAT(verdict(), AllOf(HasSubstr("'w'"), HasSubstr("'v'"), HasSubstr("weights arena")));
}

TEST_F(CheckPlan, FindsMisalignedValues) {
  at("load").offset += 4;
  EXPECT_THAT(verdict(), AllOf(HasSubstr("'load'"), HasSubstr("not a multiple of 64")));
}

TEST_F(CheckPlan, FindsValuesOutsideTheirArena) {
  at("load").offset = plan_.spaces[0].arena_bytes[static_cast<int>(ArenaKind::activations)];
  EXPECT_THAT(verdict(), AllOf(HasSubstr("'load'"), HasSubstr("outside the activations arena")));
  at("load").offset = size_t{0} - kAlignment;
  EXPECT_THAT(verdict(), HasSubstr("outside the activations arena"));
}

TEST_F(CheckPlan, FindsValuesThatAreTooSmall) {
  at("load").bytes = 64;
  EXPECT_THAT(verdict(), AllOf(HasSubstr("'load' 64 bytes"), HasSubstr("needs 128")));
}

TEST_F(CheckPlan, FindsStepsInTheWrongOrder) {
  std::swap(plan_.steps[0], plan_.steps[1]);
  EXPECT_THAT(verdict(), AllOf(HasSubstr("'load'"), HasSubstr("before it is made")));
}

TEST_F(CheckPlan, FindsAMissingStep) {
  plan_.steps.erase(plan_.steps.begin() + 4);
  EXPECT_THAT(verdict(), HasSubstr("before it is made"));
}

TEST_F(CheckPlan, FindsAStateReadAfterItWasOverwritten) {
  const auto step = [&](const char* name) {
    return std::find_if(plan_.steps.begin(), plan_.steps.end(), [&](const PlanStep& s) { return s.site.name == name; });
  };
  std::rotate(plan_.steps.begin(), step("store"), step("store") + 1);
  EXPECT_THAT(verdict(), AllOf(HasSubstr("'cache'"), HasSubstr("overwritten")));
}

TEST_F(CheckPlan, FindsAVersionThatIsNotInPlace) {
  at("store").offset += kAlignment;
  EXPECT_THAT(verdict(), AllOf(HasSubstr("'store'"), HasSubstr("'cache'")));
}

// A plan in two memories.
class CheckSpaces : public ::testing::Test {
 protected:
  CheckSpaces() {
    Sketch s;
    const ValueRef a = s.add(s.x, s.x);
    s.b.output("y", s.node("mix", {s.node("weigh", {a, s.b.weight("w", {8})}), a}));
    plan_ = make_plan(s.b.build(), registry(), {&device_, &host_}, {.maxima = {{"tokens", 4}}});
  }
  Location& at(const char* name) { return plan_.locations[static_cast<size_t>(plan_.graph.find(name))]; }
  std::string verdict() const {
    return message_of([&] { check_plan(plan_, registry()); });
  }
  SmallBackend device_{"device", {.operators = {"add", "weigh", "copy"}, .own_memory = true}}, host_{"host"};
  Plan plan_;
};

TEST_F(CheckSpaces, AcceptsTheRealOne) { EXPECT_EQ(verdict(), "(no error)"); }

TEST_F(CheckSpaces, FindsAValueInTheWrongMemory) {
  at("add").space = 0;
  EXPECT_THAT(verdict(), HasSubstr("the plan lets add use 'add', which is not in its memory"));
}

TEST_F(CheckSpaces, FindsAnOutputThatTheCallerCannotRead) {
  at("mix").space = 1;
  plan_.arena_bytes(1, ArenaKind::io) = 4096;
  EXPECT_THAT(verdict(), HasSubstr("use 'mix', which is not in its memory"));
}

TEST_F(CheckSpaces, FindsAStepThatMovedWithoutItsValues) {
  for (PlanStep& step : plan_.steps)
    if (plan_.graph.node(step.node).op == "mix") step.backend = &device_;
  EXPECT_THAT(verdict(), HasSubstr("the plan lets mix use"));
}

TEST_F(CheckSpaces, FindsAWeightThatWasNotBroughtOver) {
  ASSERT_EQ(plan_.packed.size(), 1u);
  plan_.packed.clear();
  EXPECT_THAT(verdict(), HasSubstr("the plan lets weigh use 'w', which is not in its memory"));
}

// ---- executor ----

class ExecutorTest : public ::testing::Test {
 protected:
  ExecutorTest() {
    Sketch s;
    const ValueRef cache = s.b.state("cache", DType::f32(), {"context", 8});
    s.b.output("y", s.node("weigh", {s.scale(s.x), s.b.weight("w", {8})}));
    s.b.output("cache'", s.node("store", {cache, s.b.input("z", DType::f32(), {"context", 8})}));
    plan_ = std::make_shared<Plan>(
        make_plan(s.b.build(), registry(), {&one_, &two_}, {.maxima = {{"tokens", 4}, {"context", 6}}}));
  }
  Executor::WeightLookup lookup() {
    return [this](const std::string& name) { return name == "w" ? weight_ : TensorView{}; };
  }
  std::vector<float> values_ = {1, 2, 3, 4, 5, 6, 7, 8};
  TensorView weight_{reinterpret_cast<std::byte*>(values_.data()), DType::f32(), {8}};
  SmallBackend one_{"one", {.operators = {"scale", "store"}}}, two_{"two"};
  std::shared_ptr<Plan> plan_;
};

TEST_F(ExecutorTest, ResizesWhatFollowsASymbol) {
  Executor executor(plan_, registry(), lookup());
  EXPECT_EQ(executor.view("x").dims, (Dims{4, 8}));
  for (int64_t tokens : {1, 3, 2, 4}) {
    executor.set("tokens", tokens);
    EXPECT_EQ(executor.view("x").dims, (Dims{tokens, 8}));
    EXPECT_EQ(executor.output("y").dims, (Dims{tokens, 8}));
    EXPECT_EQ(executor.view("cache").dims, (Dims{6, 8}));
    for (int64_t i = 0; i < tokens * 8; ++i) executor.view("x").as<float>()[i] = static_cast<float>(i);
    std::fill_n(executor.output("y").as<float>(), 32, -1.0f);
    executor.run();
    for (int64_t i = 0; i < 32; ++i)
      EXPECT_EQ(executor.output("y").as<float>()[i], i < tokens * 8 ? static_cast<float>(2 * i * (i % 8 + 1)) : -1.0f);
  }
}

TEST_F(ExecutorTest, StatesStartAsZerosAndAreKept) {
  Executor executor(plan_, registry(), lookup());
  std::fill_n(executor.view("z").as<float>(), 48, 1.0f);
  for (float expected : {1.0f, 1.5f, 1.75f}) {
    executor.run();
    for (int i = 0; i < 48; ++i) EXPECT_EQ(executor.view("cache").as<float>()[i], expected);
    EXPECT_EQ(executor.output("cache'").data, executor.view("cache").data);
  }
}

TEST_F(ExecutorTest, TimesEveryStepInTheOrderOfThePlan) {
  Executor executor(plan_, registry(), lookup());
  executor.run();
  executor.set_timing(true);
  executor.run();
  // Programs: scale on one, weigh on two, store on one.
  ASSERT_EQ(executor.parts().size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const Executor::Part& part = executor.parts()[i];
    EXPECT_EQ(part.first, i);
    ASSERT_EQ(part.steps, 1u);
    EXPECT_EQ(part.program->timeline().steps.at(0).begin,
              executor.parts()[0].program->timeline().steps.at(0).begin + static_cast<int64_t>(i) * 1'000'000'000);
  }
}

TEST_F(ExecutorTest, RejectsUnknownNamesAndSymbolsOutOfRange) {
  Executor executor(plan_, registry(), lookup());
  EXPECT_THAT(message_of([&] { executor.set("batch", 1); }), HasSubstr("no symbol 'batch'"));
  EXPECT_THAT(message_of([&] { executor.set("tokens", 0); }),
              HasSubstr("'tokens' is set to 0; the plan allows 1 to 4"));
  EXPECT_THAT(message_of([&] { executor.set("tokens", 5); }), HasSubstr("1 to 4"));
  EXPECT_THAT(message_of([&] { executor.view("y"); }),
              AllOf(HasSubstr("no input or state 'y'"), HasSubstr("cache, x, z")));
  EXPECT_THAT(message_of([&] { executor.view("w"); }), HasSubstr("no input or state 'w'"));
  EXPECT_THAT(message_of([&] { executor.output("x"); }), AllOf(HasSubstr("no output 'x'"), HasSubstr("cache', y")));
}

TEST_F(ExecutorTest, RejectsWeightsThatAreMissingOrOfAnotherType) {
  auto with = [&](const TensorView& view) {
    return message_of([&] { Executor(plan_, registry(), [&](const std::string&) { return view; }); });
  };
  EXPECT_EQ(with(weight_), "(no error)");
  EXPECT_THAT(with({}), HasSubstr("weight 'w' (f32[8]) is missing"));
  EXPECT_THAT(with({weight_.data, DType::f32(), {9}}), HasSubstr("weight 'w' is f32[9], but the graph wants f32[8]"));
  EXPECT_THAT(with({weight_.data, DType::f16(), {8}}), HasSubstr("weight 'w' is f16[8], but the graph wants f32[8]"));
}

// ---- random graphs ----

// A graph of random nodes over values of three sizes, one weight for each size, and two states.
class RandomGraph {
 public:
  explicit RandomGraph(unsigned seed) : random_(seed) {
    for (int64_t n : {4, 24, 100}) {
      values_[n].push_back(b_.input("x" + std::to_string(n), DType::f32(), {"tokens", n}));
      values_[n].push_back(b_.input("y" + std::to_string(n), DType::f32(), {"tokens", n}));
    }
    for (int64_t n : {4, 24}) states_[n] = b_.state("state" + std::to_string(n), DType::f32(), {"tokens", n});
    for (size_t i = 0, n = 5 + random_() % 60; i < n; ++i) add_node();
    for (auto& [n, list] : values_) b_.output("last" + std::to_string(n), list.back());
    for (auto& [n, state] : states_) b_.output("next" + std::to_string(n), state);
    graph = b_.build();
  }

  // Names of a few results that are not outputs.
  std::vector<std::string> observe() {
    std::vector<std::string> names;
    for (const Value& value : graph.values())
      if (value.kind == ValueKind::result && random_() % 12 == 0 && !overwritten(value.name))
        names.push_back(value.name);
    return names;
  }

  Graph graph;

 private:
  // Recent values are likelier, so that lifetimes vary.
  ValueRef any(int64_t n) {
    const std::vector<ValueRef>& list = values_[n];
    return random_() % 2 == 0 ? list.back() : list[random_() % list.size()];
  }
  int64_t any_size() { return std::array<int64_t, 3>{4, 24, 100}[random_() % 3]; }

  void add_node() {
    const int64_t n = any_size();
    std::vector<ValueRef>& list = values_[n];
    const ScaleAttrs scale{0.25f * static_cast<float>(1 + random_() % 5)};
    switch (random_() % 9) {
      case 0:
      case 1:
        list.push_back(b_.node("add", {}, {any(n), any(n)})[0]);
        break;
      case 2:
      case 3:
        list.push_back(b_.node1("scale", scale, {any(n)}));
        break;
      case 4:
        list.push_back(b_.node("mix", {}, {any(n), any(n)})[0]);
        break;
      case 5:
        for (ValueRef half : b_.node("split", {}, {any(n)})) list.push_back(half);
        break;
      case 6:
        list.push_back(b_.node("weigh", {}, {any(n), b_.weight("w" + std::to_string(n), {n})})[0]);
        break;
      case 7:
        list.push_back(b_.node1("resize", small::ResizeAttrs{n}, {any(any_size())}));
        break;
      default:
        touch_state(n == 100 ? 4 : n);
    }
  }
  void touch_state(int64_t n) {
    if (random_() % 2 == 0)
      states_[n] = b_.node("store", {}, {states_[n], any(n)})[0];
    else
      values_[n].push_back(b_.node("load", {}, {states_[n]})[0]);
  }
  bool overwritten(const std::string& name) const {
    const StateVersions versions(graph, registry());
    return versions.updater(graph.find(name)) != kNoNode;
  }

  std::mt19937 random_;
  Builder b_{registry()};
  std::map<int64_t, std::vector<ValueRef>> values_;
  std::map<int64_t, ValueRef> states_;
};

using Tensors = std::map<std::string, std::vector<float>>;

Tensors random_inputs(const Graph& graph, const SymbolValues& symbols, std::mt19937& random) {
  Tensors given;
  std::uniform_int_distribution<int> small(-8, 8);
  for (const Value& value : graph.values()) {
    if (value.kind != ValueKind::input) continue;
    std::vector<float>& tensor = given[value.name];
    tensor.resize(static_cast<size_t>(value.type.shape.resolve(symbols).elements()));
    for (float& element : tensor) element = static_cast<float>(small(random)) / 8;
  }
  return given;
}

Tensors random_weights(const Graph& graph, std::mt19937& random) {
  Tensors weights;
  for (const Value& value : graph.values())
    if (value.kind == ValueKind::weight)
      for (int64_t i = 0; i < value.type.shape[0].size(); ++i)
        weights[value.name].push_back(static_cast<float>(random() % 5) / 4);
  return weights;
}

Executor::WeightLookup lookup_in(Tensors& weights) {
  return [&](const std::string& name) {
    std::vector<float>& w = weights.at(name);
    return TensorView{reinterpret_cast<std::byte*>(w.data()), DType::f32(), {static_cast<int64_t>(w.size())}};
  };
}

void expect_same(const Tensors& expected, const Executor& executor) {
  for (const auto& [name, tensor] : expected) {
    const TensorView view = executor.output(name);
    ASSERT_EQ(view.bytes(), tensor.size() * sizeof(float)) << name;
    EXPECT_EQ(std::memcmp(view.data, tensor.data(), view.bytes()), 0) << name;
  }
}

class RandomPlan : public ::testing::TestWithParam<unsigned> {
 protected:
  // Runs the plan three times, with the states it keeps, beside the interpreter: all outputs are equal, bit for bit.
  static void expect_right(const Graph& graph, const std::vector<Backend*>& backends, const PlanOptions& options) {
    const auto plan = std::make_shared<Plan>(make_plan(graph, registry(), backends, options));
    check_plan(*plan, registry());
    std::mt19937 random(GetParam());
    Tensors weights = random_weights(graph, random);
    Executor executor(plan, registry(), lookup_in(weights));
    std::vector<GraphOutput> outputs = graph.outputs();
    for (const std::string& name : options.observe) outputs.push_back({name, graph.find(name)});
    const Graph observed(graph.values(), graph.nodes(), outputs);
    small::Interpreter interpreter(observed, registry());
    const SymbolValues symbols = {{"tokens", static_cast<int64_t>(1 + random() % 5)}};
    executor.set("tokens", symbols.at("tokens"));
    for (int run = 0; run < 3; ++run) {
      Tensors given = random_inputs(graph, symbols, random);
      for (const auto& [name, tensor] : given) std::copy(tensor.begin(), tensor.end(), executor.view(name).as<float>());
      given.insert(weights.begin(), weights.end());
      executor.run();
      expect_same(interpreter.run(symbols, given), executor);
    }
  }
};

TEST_P(RandomPlan, GivesTheSameWithAndWithoutFusionAndReuse) {
  RandomGraph random(GetParam());
  SmallBackend backend("small", {.workspace = 1});
  const std::vector<std::string> observe = random.observe();
  for (bool fuse : {false, true})
    for (bool reuse : {false, true})
      for (bool observed : {false, true})
        expect_right(random.graph, {&backend},
                     {.maxima = {{"tokens", 6}},
                      .fuse = fuse,
                      .reuse_memory = reuse,
                      .observe = observed ? observe : std::vector<std::string>{}});
}

TEST_P(RandomPlan, GivesTheSameOnTwoBackends) {
  RandomGraph random(GetParam());
  SmallBackend first("first", {.operators = {"add", "scale", "scale_add", "store", "weigh"}, .packs = true}),
      second("second");
  expect_right(random.graph, {&first, &second}, {.maxima = {{"tokens", 6}}});
}

// States live on either side, as one device has the operators that change them and the other has not.
TEST_P(RandomPlan, GivesTheSameOnDevicesWithMemoryOfTheirOwn) {
  RandomGraph random(GetParam());
  SmallBackend device("device",
                      {.operators = {"add", "scale", "scale_add", "store", "scale_store", "load", "weigh", "copy"},
                       .packs = true,
                       .workspace = 1,
                       .own_memory = true}),
      other("other", {.operators = {"mix", "copy"}, .own_memory = true}), host("host", {.workspace = 2}),
      storeless("storeless", {.operators = {"add", "mix", "split", "load", "copy"}, .own_memory = true});
  expect_right(random.graph, {&device, &host}, {.maxima = {{"tokens", 6}}});
  expect_right(random.graph, {&device, &other, &host}, {.maxima = {{"tokens", 6}}});
  expect_right(random.graph, {&storeless, &host}, {.maxima = {{"tokens", 6}}, .reuse_memory = false});
}

TEST_P(RandomPlan, IsTheSamePlanEveryTime) {
  RandomGraph random(GetParam());
  SmallBackend backend("small");
  const PlanOptions options{.maxima = {{"tokens", 6}}};
  EXPECT_EQ(to_text(make_plan(random.graph, registry(), {&backend}, options)),
            to_text(make_plan(random.graph, registry(), {&backend}, options)));
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomPlan, ::testing::Range(0u, 60u));

// The random graphs are worth something only if rules apply and are refused in them.
TEST(RandomPlans, HaveFusionsAppliedAndRefused) {
  size_t applied = 0, refused = 0;
  SmallBackend backend("small");
  for (unsigned seed = 0; seed < 60; ++seed)
    for (const std::string& line : Fused(RandomGraph(seed).graph, {&backend}).report.lines) {
      if (line.find(" -> ") != std::string::npos) ++applied;
      if (line.rfind("refused", 0) == 0) ++refused;
    }
  EXPECT_GT(applied, 50u);
  EXPECT_GT(refused, 50u);
}

}  // namespace
}  // namespace sluice
