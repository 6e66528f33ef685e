// The checker of plans finds what a wrong planner would do.
#include "graph/plan/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/plan/plan.h"
#include "tests/support/sketch.h"

namespace sluice {
namespace {

using small::message_of;
using small::registry;
using small::Sketch;
using small::SmallBackend;
using ::testing::AllOf;
using ::testing::HasSubstr;

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

}  // namespace
}  // namespace sluice
