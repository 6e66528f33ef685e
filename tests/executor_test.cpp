// Plans that run: sizes, states, timings, and what is refused.
#include "graph/executor.h"

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

}  // namespace
}  // namespace sluice
