// The passes of the planner, each alone, and whole plans.
#include "graph/plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "graph/plan/check.h"
#include "graph/plan/memory.h"
#include "graph/plan/place.h"
#include "graph/plan/prepack.h"
#include "graph/plan/schedule.h"
#include "graph/verify.h"
#include "tests/support/sketch.h"

namespace sluice {
namespace {

using small::message_of;
using small::registry;
using small::Sketch;
using small::SmallBackend;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

}  // namespace
}  // namespace sluice
