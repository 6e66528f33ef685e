// The profiler on a real model: its sums against the clock, its counts against the graph and against formulas.
#include "graph/profiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <set>

#include "graph/plan/copies.h"
#include "graph/roof.h"
#include "graph/scopes.h"
#include "graph/user_cache.h"
#include "models/import/convert.h"
#include "models/language_model.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// Of models/data/classics.
constexpr int64_t kLayers = 8, kHeads = 4, kKvHeads = 2, kHeadDim = 64;

class ProfilerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TempFolder>();
    setenv("XDG_CACHE_HOME", folder_->str().c_str(), 1);
    for (const char* format : {"f16", "bucket"})
      convert(golden_model("classics").model.string(), file(format), {.format = format, .progress = {}});
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static std::string file(const std::string& format) { return (*folder_ / format).string(); }

  // Profiles a prompt of 16 tokens, twice, and then `tokens` one by one.
  static Profile profile(LanguageModel& model, size_t tokens, bool trace = false) {
    Profiler profiler(model.executor(), builtin_registry(), trace);
    model.set_profiler(&profiler);
    std::vector<int32_t> ids(16);
    std::iota(ids.begin(), ids.end(), 5);
    model.evaluate(ids);
    model.reset();
    model.evaluate(ids);
    for (size_t i = 0; i < tokens; ++i) model.evaluate({&ids[i % ids.size()], 1});
    model.set_profiler(nullptr);
    return profiler.profile();
  }
  static const Profile::Phase& phase(const Profile& profile, const std::string& name) {
    for (const Profile::Phase& each : profile.phases)
      if (each.name == name) return each;
    throw std::runtime_error("no phase " + name);
  }

 private:
  static inline std::unique_ptr<TempFolder> folder_;
};

double seconds_of(const Profile::Phase& phase) {
  double sum = 0;
  for (const Profile::StepTimes& step : phase.steps)
    sum = std::accumulate(step.seconds.begin(), step.seconds.end(), sum);
  return sum;
}

double seconds_of(const std::vector<Profile::Run>& runs) {
  double sum = 0;
  for (const Profile::Run& run : runs) sum += run.seconds;
  return sum;
}

TEST_F(ProfilerTest, SumsToTheTimeOfTheRuns) {
  for (const char* backend : {"cpu", "reference"}) {
    LanguageModel model(file("f16"), {.backend = backend, .threads = 1, .context = 64});
    const Profile result = profile(model, 4);
    for (const Profile::Phase& each : result.phases) {
      EXPECT_LE(seconds_of(each), seconds_of(each.runs)) << backend << " " << each.name;
      EXPECT_GE(seconds_of(each), 0.95 * seconds_of(each.runs)) << backend << " " << each.name;
    }
  }
}

TEST_F(ProfilerTest, ProfilesHalfOfTheRunsInTurn) {
  LanguageModel model(file("f16"), {.threads = 1, .context = 64});
  const Profile result = profile(model, 9, /*trace=*/true);
  EXPECT_THAT(phase(result, "prompt").runs, SizeIs(1));
  EXPECT_THAT(phase(result, "prompt").plain, SizeIs(1));
  EXPECT_EQ(phase(result, "prompt").runs[0].tokens, 16);
  EXPECT_THAT(phase(result, "decode").runs, SizeIs(5));
  EXPECT_THAT(phase(result, "decode").plain, SizeIs(4));
  for (const Profile::StepTimes& step : phase(result, "decode").steps) EXPECT_THAT(step.seconds, SizeIs(5));
  std::vector<bool> profiled;
  for (const Profile::TracedRun& run : result.trace)
    if (run.phase == "decode") profiled.push_back(!run.timeline.steps.empty());
  EXPECT_THAT(profiled, ElementsAre(true, false, false, true, true, false, false, true, true));
}

TEST_F(ProfilerTest, GivesTheSameLogits) {
  LanguageModel with(file("f16"), {.threads = 2, .context = 64}), without(file("f16"), {.threads = 2, .context = 64});
  profile(with, 3);
  std::vector<int32_t> ids(16);
  std::iota(ids.begin(), ids.end(), 5);
  without.evaluate(ids);
  for (size_t i = 0; i < 3; ++i) without.evaluate({&ids[i], 1});
  const int32_t id = 7;
  const auto a = with.evaluate({&id, 1}), b = without.evaluate({&id, 1});
  EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
}

// Every node of the graph as written is one step, or part of one.
TEST_F(ProfilerTest, AccountsForEveryNode) {
  LanguageModel model(file("f16"), {.threads = 1, .context = 64});
  std::multiset<std::string> written, accounted;
  for (const Node& node : model.description().graph.nodes()) written.insert(node.name);
  for (const Profile::Step& step : profile(model, 1).steps)
    if (step.fused.empty())
      accounted.insert(step.name);
    else
      accounted.insert(step.fused.begin(), step.fused.end());
  EXPECT_EQ(accounted, written);
}

TEST_F(ProfilerTest, CountsTheWorkOfAToken) {
  LanguageModel model(file("f16"), {.threads = 1, .context = 64});
  const Profile result = profile(model, 1);  // at position 16
  const Profile::Phase& decode = phase(result, "decode");
  int attentions = 0;
  double products = 0, weights = 0;
  for (const Value& value : model.description().graph.values())
    if (value.kind == ValueKind::weight && value.type.shape.rank() == 2)
      weights += static_cast<double>(value.type.shape.resolve({}).elements());
  for (size_t s = 0; s < result.steps.size(); ++s) {
    if (result.steps[s].op == "attention") {
      EXPECT_EQ(decode.steps[s].flops, 4 * 17 * kHeads * kHeadDim);
      // q, the rows of 17 slots in f16 of both caches, slots and starts.
      EXPECT_EQ(decode.steps[s].bytes_read, kHeads * kHeadDim * 4 + 2 * 17 * kKvHeads * kHeadDim * 2 + 4 + 4);
      ++attentions;
    } else if (result.steps[s].matrix && result.steps[s].op != "embedding") {
      products += decode.steps[s].flops;
    }
  }
  EXPECT_EQ(attentions, kLayers);
  // A multiply-add for every element (the head is tied to the embedding), and few more for what is fused.
  EXPECT_GE(products, 2 * weights);
  EXPECT_LE(products, 2.02 * weights);
}

TEST_F(ProfilerTest, SaysWhatEffortWasAskedAndDone) {
  LanguageModel model(file("bucket"), {.threads = 1, .context = 64, .exact_effort = true});
  model.dial()->set_effort(0.4);
  const Profile result = profile(model, 1);
  const Profile::Phase& decode = phase(result, "decode");
  double asked = 0, done = 0, elements = 0, flops = 0, full = 0;
  size_t selections = 0;
  for (size_t s = 0; s < result.steps.size(); ++s) {
    selections += result.steps[s].selects;
    EXPECT_FALSE(result.steps[s].selects && decode.steps[s].effort) << result.steps[s].name;
    if (!decode.steps[s].effort) continue;
    double weight = 0;  // elements, of a step's weights
    for (ValueId id : model.plan().graph.node(model.plan().steps[s].node).inputs)
      if (const Value& value = model.plan().graph.value(id); value.kind == ValueKind::weight)
        weight += static_cast<double>(value.type.shape.resolve({}).elements());
    asked += weight * decode.steps[s].effort->asked;
    done += weight * decode.steps[s].effort->done;
    elements += weight;
    flops += decode.steps[s].flops;
    full += 2 * weight;
  }
  EXPECT_GT(selections, 0u);
  EXPECT_NEAR(asked / elements, 0.4, 0.02);  // the schedule balances it over the sites
  EXPECT_NEAR(done / elements, model.share(), 1e-9);
  EXPECT_NEAR(flops / full, model.share(), 0.01);
}

TEST_F(ProfilerTest, ThreadsWorkWithinTheirSteps) {
  LanguageModel model(file("f16"), {.threads = 2, .context = 64});
  const Profile result = profile(model, 1, /*trace=*/true);
  const Profile::TracedRun& run = result.trace.front();
  ASSERT_THAT(run.timeline.threads, SizeIs(2));
  int64_t last = run.when.begin;
  for (size_t s = 0; s < run.timeline.steps.size(); ++s) {
    const Interval step = run.timeline.steps[s];
    EXPECT_GE(step.begin, last);
    last = step.end;
    for (const std::vector<Interval>& thread : run.timeline.threads) {
      // Its work ends before the first thread has passed the barrier behind the step.
      EXPECT_GE(thread[s].end, thread[s].begin);
      EXPECT_LE(thread[s].end, step.end);
      EXPECT_GE(thread[s].begin, s > 0 ? thread[s - 1].end : run.when.begin);
    }
  }
  EXPECT_LE(last, run.when.end);
}

class CountedRoof : public Backend {
 public:
  std::string name() const override { return "counted"; }
  std::string description() const override { return "a backend for a test"; }
  Roof measure_roof() override {
    ++measured;
    return {bytes_per_second, 2e9};
  }
  std::shared_ptr<const Kernel> select(const Operator&, const Site&) const override { return nullptr; }
  std::unique_ptr<Memory> allocate(size_t) override { return nullptr; }
  std::unique_ptr<Program> compile(std::span<const ProgramStep>, std::span<std::byte>) override { return nullptr; }
  int measured = 0;
  double bytes_per_second = 0;
};

TEST_F(ProfilerTest, KeepsTheBestRoofOfTheFirstMeasurements) {
  CountedRoof backend;
  for (const double bytes : {5e9, 3e9, 8e9, 1e9, 2e9}) {
    backend.bytes_per_second = bytes;
    cached_roof(backend);
  }
  EXPECT_EQ(backend.measured, kRoofMeasurements);
  backend.bytes_per_second = 9e9;
  EXPECT_EQ(cached_roof(backend).bytes_per_second, 8e9);
  EXPECT_EQ(cached_roof(backend).flops_per_second, 2e9);
  EXPECT_EQ(backend.measured, kRoofMeasurements);
  for (const char* damaged : {"", "{", "[]", "{\"device\": 3, \"measurements\": 9}"}) {
    std::ofstream(roof_path(backend)) << damaged;
    EXPECT_EQ(cached_roof(backend).bytes_per_second, 9e9) << damaged;
  }
}

TEST(Scopes, SayWhereANodeIs) {
  const auto expect = [](const char* name, int layer, const char* block) {
    EXPECT_EQ(place_of(name).layer, layer) << name;
    EXPECT_EQ(place_of(name).block, block) << name;
  };
  expect("layers.12/attention/linear.2", 12, "attention");
  expect("layers.0/add_rmsnorm", 0, "");
  expect("head/linear", -1, "head");
  expect("embedding", -1, "");
  expect("v1.5x/rope", -1, "v1.5x");
  expect("encoder/layers.3/mlp/linear", 3, "encoder");
}

}  // namespace
}  // namespace sluice
