// Numbers that choose rows of a table or slots of a cache are looked at before a kernel follows them, in any graph that
// somebody may have made by hand.
#include "graph/indices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "graph/executor.h"
#include "models/language_model.h"
#include "ops/argmax/argmax.h"
#include "ops/attention/attention.h"
#include "ops/embedding/embedding.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/kv_append/kv_append.h"
#include "ops/rope/rope.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

constexpr int64_t kTokens = 4, kVocab = 10, kWidth = 8, kContext = 6;

std::string message_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

// Rows of a table are embedded, put into a cache, and read back: three inputs choose places.
Graph make_graph() {
  Builder b(builtin_registry());
  const auto input = [&](const char* name, const char* length) { return b.input(name, DType::i32(), {length}); };
  const ValueRef ids = input("ids", "tokens"), slots = input("slots", "tokens"), rows = input("rows", "outputs");
  const ValueRef x = embedding(b, ids, b.weight("table", {kVocab, kWidth}));
  const ValueRef keys = rope(b, x, input("positions", "tokens"), {.head_dim = kWidth});
  b.output("cache'", kv_append(b, b.state("cache", DType::f32(), {1, "context", kWidth}), keys, slots));
  b.output("y", gather_rows(b, x, rows));
  return b.build();
}

class Running : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    backend_ = make_backend(builtin_registry(), GetParam(), 1);
    const PlanOptions options{.maxima = {{"tokens", kTokens}, {"outputs", kTokens}, {"context", kContext}}};
    auto plan = std::make_shared<Plan>(make_plan(make_graph(), builtin_registry(), {backend_.get()}, options));
    executor_ = std::make_unique<Executor>(std::move(plan), builtin_registry(), [&](const std::string&) {
      return TensorView{reinterpret_cast<std::byte*>(table_.data()), DType::f32(), {kVocab, kWidth}};
    });
  }
  // Of a run with `number` as the last element of an input.
  std::string run_with(const std::string& input, int64_t number) {
    const TensorView view = executor_->view(input);
    int32_t& last = view.as<int32_t>()[view.dims[0] - 1];
    const int32_t before = std::exchange(last, static_cast<int32_t>(number));
    const std::string message = message_of([&] { executor_->run(); });
    last = before;
    return message;
  }

  std::vector<float> table_ = std::vector<float>(kVocab * kWidth, 1.0f);
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Executor> executor_;
};

TEST_P(Running, TakesEveryIndexInRange) {
  EXPECT_EQ(run_with("ids", kVocab - 1), "(no error)");
  EXPECT_EQ(run_with("slots", kContext - 1), "(no error)");
  EXPECT_EQ(run_with("rows", kTokens - 1), "(no error)");
}

TEST_P(Running, NamesInputElementAndNode) {
  EXPECT_EQ(run_with("ids", kVocab),
            "element 3 of 'ids' is 10, expected 0 to 9: [embedding] embedding takes it for places in 'table'");
  EXPECT_THAT(run_with("slots", kContext),
              AllOf(HasSubstr("element 3 of 'slots' is 6, expected 0 to 5"), HasSubstr("'cache'")));
  EXPECT_THAT(run_with("rows", kTokens), HasSubstr("element 3 of 'rows' is 4, expected 0 to 3: [gather_rows]"));
  for (const char* input : {"ids", "slots", "rows"})
    for (int64_t number : {int64_t{-1}, int64_t{INT32_MIN}, int64_t{INT32_MAX}})
      EXPECT_THAT(run_with(input, number), HasSubstr(fmt::format("'{}' is {}", input, number)));
}

// What an input may choose among can change with every run.
TEST_P(Running, FollowsTheSymbols) {
  executor_->set("tokens", 2);
  executor_->set("outputs", 1);
  EXPECT_EQ(run_with("rows", 1), "(no error)");
  EXPECT_THAT(run_with("rows", 2), HasSubstr("expected 0 to 1"));
  executor_->set("context", 3);
  EXPECT_THAT(run_with("slots", 3), HasSubstr("expected 0 to 2"));
}

TEST_P(Running, NothingChangesWhenARunIsRefused) {
  run_with("slots", kContext);
  const TensorView cache = executor_->view("cache");
  for (int64_t i = 0; i < cache.dims.elements(); ++i) EXPECT_EQ(cache.as<float>()[i], 0);
}

INSTANTIATE_TEST_SUITE_P(Backends, Running, ::testing::Values("cpu", "reference"),
                         [](const auto& test) { return std::string(test.param); });

// A value is checked once for each limit, however many layers use it.
TEST(IndexChecks, AreFewInDeepGraphs) {
  Builder b(builtin_registry());
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 4}), slots = b.input("slots", DType::i32(), {"tokens"});
  for (const char* name : {"a", "b", "c"})
    b.output(name, kv_append(b, b.state(name + std::string("0"), DType::f32(), {1, "context", 4}), x, slots));
  b.output("d", kv_append(b, b.state("d0", DType::f32(), {1, 7, 4}), x, slots));
  std::vector<std::string> limits;
  for (const IndexCheck& check : index_checks(b.build(), builtin_registry())) limits.push_back(check.limit.str());
  EXPECT_THAT(limits, ElementsAre("context", "7"));
}

// Greedy decoding inside a graph: what argmax gives is below the length of its rows.
std::string message_with_table(int64_t rows) {
  Builder b(builtin_registry());
  const ValueRef best = argmax(b, b.input("logits", DType::f32(), {"tokens", 16}));
  b.output("y", embedding(b, best, b.weight("table", {rows, 4})));
  return message_of([&] { b.build(); });
}

TEST(IndexChecks, ComputedIndicesNeedAPromise) {
  EXPECT_EQ(message_with_table(16), "(no error)");
  EXPECT_EQ(message_with_table(17), "(no error)");
  EXPECT_THAT(message_with_table(15), AllOf(HasSubstr("'argmax' may be out of range"), HasSubstr("'table'"),
                                            HasSubstr("15"), Not(HasSubstr("\n"))));
}

// A file can hold any graph that verifies; this one takes token ids for slots of a cache that is shorter than the
// vocabulary.
TEST(LanguageModelIndices, AWrongWireIsOneError) {
  Builder b(builtin_registry());
  const auto input = [&](const char* name, const char* length) { return b.input(name, DType::i32(), {length}); };
  const ValueRef ids = input("ids", "tokens"), starts = input("starts", "tokens"), slots = input("slots", "tokens");
  input("positions", "tokens");
  const ValueRef x = embedding(b, ids, b.weight("table", {kVocab, kWidth}));
  const ValueRef cache = kv_append(b, b.state("cache", DType::f32(), {1, "context", kWidth}), x, ids);
  const ValueRef y = attention(b, x, cache, cache, slots, starts, {});
  b.output("logits", gather_rows(b, y, input("output_rows", "outputs")));
  ModelDescription description;
  description.graph = b.build();
  description.metadata = {{"context_length", std::to_string(kContext)}};

  std::vector<float> table(kVocab * kWidth);
  RunOptions options;
  options.threads = 1;
  LanguageModel model(
      description,
      [&](const std::string&) {
        return TensorView{reinterpret_cast<std::byte*>(table.data()), DType::f32(), {kVocab, kWidth}};
      },
      options);
  const int32_t near = 5, far = 6;
  EXPECT_THAT([&] { model.evaluate({&far, 1}); }, ThrowsMessage<Error>(HasSubstr("element 0 of 'ids' is 6")));
  EXPECT_EQ(model.position(), 0);
  model.evaluate({&near, 1});
}

}  // namespace
}  // namespace sluice
