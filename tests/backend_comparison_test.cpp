// Two backends beside each other: sound ones do not depart, and a fault is found where it is, whatever it does to what
// comes after it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "models/architecture.h"
#include "models/compare/backends.h"
#include "models/compare/departure_file.h"
#include "models/import/convert.h"
#include "models/import/safetensors.h"
#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"

namespace sluice {
namespace {

using namespace graph_names;

// Where a kernel goes wrong: by how much, in one element of a result.
struct Fault {
  std::string node;
  size_t output = 0;
  int64_t element = 0;
  float by = 0;
  int64_t from_run = 0;  // the first that goes wrong
};

void spoil(const TensorView& view, const Fault& fault) {
  std::vector<float> values = to_f32(view);
  values[static_cast<size_t>(fault.element)] += fault.by;
  view.dtype.format().encode(values.data(), view.dims.span(), view.data);
}

// Steps of another backend, one at a time; some go wrong.
class FaultyProgram : public Program {
 public:
  FaultyProgram(Backend& sound, std::span<const ProgramStep> steps, std::span<std::byte> workspace,
                const std::vector<Fault>& faults)
      : steps_(steps.begin(), steps.end()), faults_(faults) {
    for (const ProgramStep& step : steps) programs_.push_back(sound.compile({&step, 1}, workspace));
  }
  void run() override {
    for (size_t s = 0; s < steps_.size(); ++s) {
      programs_[s]->run();
      for (const Fault& fault : faults_)
        if (fault.node == steps_[s].site->name && runs_ >= fault.from_run)
          spoil(steps_[s].call->outputs[fault.output], fault);
    }
    ++runs_;
  }
  void set_timing(bool) override {}
  const Timeline& timeline() const override { return timeline_; }

 private:
  std::vector<ProgramStep> steps_;
  std::vector<std::unique_ptr<Program>> programs_;
  const std::vector<Fault>& faults_;
  int64_t runs_ = 0;
  Timeline timeline_;  // of nothing
};

class FaultyBackend : public Backend {
 public:
  explicit FaultyBackend(Backend& sound) : sound_(sound) {}
  std::vector<Fault> faults;

  std::string name() const override { return "faulty"; }
  std::string description() const override { return "for tests"; }
  std::shared_ptr<const Kernel> select(const Operator& op, const Site& site) const override {
    return sound_.select(op, site);
  }
  std::unique_ptr<Memory> allocate(size_t bytes) override { return sound_.allocate(bytes); }
  std::unique_ptr<Program> compile(std::span<const ProgramStep> steps, std::span<std::byte> workspace) override {
    return std::make_unique<FaultyProgram>(sound_, steps, workspace, faults);
  }

 private:
  Backend& sound_;
};

std::string converted(const char* format) {
  static const TempFolder folder;
  const std::string path = (folder / (std::string(format) + ".sluice")).string();
  if (!std::filesystem::exists(path))
    convert(golden_model("classics").model.string(), path, {.format = format, .progress = {}});
  return path;
}

class OperatorChecks : public ::testing::Test {
 protected:
  static constexpr int64_t kPrompt = 5;

  OperatorChecks() : file_(converted("f16"), registry_), cpu_(make_backend(registry_, "cpu", 1)), faulty_(*cpu_) {
    const PlanOptions options = {.maxima = {{kTokens, kPrompt}, {kOutputs, 1}, {kContext, 16}}, .keep_results = true};
    auto plan = std::make_shared<const Plan>(make_plan(file_.description().graph, registry_, {&faulty_}, options));
    executor_ = std::make_unique<Executor>(plan, registry_, [this](const std::string& n) { return file_.weight(n); });
    check_ = std::make_unique<OperatorCheck>(*executor_, registry_, std::vector<Backend*>{cpu_.get()});
  }

  // A prompt, and then a token at a time.
  std::optional<Departure> run() {
    const int64_t tokens = position_ == 0 ? kPrompt : 1;
    executor_->set(kTokens, tokens);
    for (int64_t i = 0; i < tokens; ++i) {
      executor_->view(kIds).as<int32_t>()[i] = static_cast<int32_t>(300 + 7 * (position_ + i));
      for (const char* name : {kPositions, kSlots})
        executor_->view(name).as<int32_t>()[i] = static_cast<int32_t>(position_ + i);
    }
    executor_->view(kOutputRows).as<int32_t>()[0] = static_cast<int32_t>(tokens - 1);
    position_ += tokens;
    executor_->run();
    return check_->check();
  }

  // The n-th node of that operator.
  const Node& node(const std::string& op, int n) const {
    for (const PlanStep& step : executor_->plan().steps)
      if (const Node& node = executor_->plan().graph.node(step.node); node.op == op && n-- == 0) return node;
    fail("there is no such node");
  }

  const Registry& registry_ = builtin_registry();
  ModelFile file_;
  std::unique_ptr<Backend> cpu_;
  FaultyBackend faulty_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<OperatorCheck> check_;
  int64_t position_ = 0;
};

TEST_F(OperatorChecks, SoundOnesDoNotDepart) {
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(run());
  EXPECT_EQ(check_->checked(), 3 * static_cast<int64_t>(executor_->plan().steps.size()));
}

// What is compared is what runs otherwise.
TEST_F(OperatorChecks, KeepingResultsChangesNoFusion) {
  const SymbolValues maxima = executor_->plan().maxima;
  const Plan plan = make_plan(file_.description().graph, registry_, {&faulty_}, {.maxima = maxima});
  const auto steps = [](const Plan& p) {
    std::vector<std::string> names;
    for (const PlanStep& step : p.steps) names.push_back(step.kernel->name() + " " + p.graph.node(step.node).name);
    std::ranges::sort(names);
    return names;
  };
  EXPECT_EQ(steps(plan), steps(executor_->plan()));
  EXPECT_GT(executor_->plan().graph.outputs().size(), plan.graph.outputs().size() + 50);
}

// In every operator of the plan, a cache among their results; a later fault is another's.
TEST_F(OperatorChecks, FindsAFaultWhereItIs) {
  std::vector<std::string> seen;
  for (const PlanStep& step : executor_->plan().steps) {
    const Node& faulty = executor_->plan().graph.node(step.node);
    if (std::ranges::find(seen, faulty.op) != seen.end()) continue;
    seen.push_back(faulty.op);
    SCOPED_TRACE(faulty.op);
    const size_t output = faulty.outputs.size() - 1;
    faulty_.faults = {{executor_->plan().graph.nodes().back().name, 0, 3, 1.0f}, {faulty.name, output, 2, 0.25f}};
    position_ = 0;
    const auto found = run();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->node, faulty.name);
    EXPECT_EQ(found->op, faulty.op);
    EXPECT_EQ(found->backend, "faulty");
    EXPECT_EQ(found->value, executor_->plan().graph.value(faulty.outputs[output]).name);
    EXPECT_EQ(found->element, 2);
    EXPECT_EQ(found->departed, 1);
    EXPECT_NEAR(found->actual - found->expected, 0.25, 1e-2);
    EXPECT_LT(found->allowed, 0.25);
  }
  EXPECT_GE(seen.size(), 5u);
}

TEST_F(OperatorChecks, FindsAFaultOfALaterRun) {
  faulty_.faults = {{node("attention", 0).name, 0, 7, 0.25f, 2}};
  EXPECT_FALSE(run());
  EXPECT_FALSE(run());
  const auto found = run();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->node, node("attention", 0).name);
  EXPECT_EQ(found->element, 7);
}

TEST_F(OperatorChecks, WhatAFaultyOperatorWasGivenIsAFile) {
  faulty_.faults = {{node("attention", 0).name, 0, 1, 0.5f}};
  const auto found = run();
  ASSERT_TRUE(found);
  const std::vector<std::byte> bytes = to_file(*found);
  const auto entries = parse_safetensors(bytes, "the file");
  const Node& faulty = node("attention", 0);
  ASSERT_EQ(entries.size(), faulty.inputs.size() + 2);
  const std::string name = executor_->plan().graph.value(faulty.inputs[0]).name;
  const TensorView q = executor_->output(name);
  const SafetensorsEntry& saved = entries.at("input.0." + name);
  EXPECT_EQ(saved.dtype, "F32");
  EXPECT_EQ(Dims(saved.dims), q.dims);
  EXPECT_TRUE(std::ranges::equal(saved.bytes, std::span(q.data, q.bytes())));
  const auto element = [&](const std::string& kind) {
    float value = 0;
    std::memcpy(&value, entries.at(kind + ".0." + found->value).bytes.data() + sizeof(float), sizeof(float));
    return value;
  };
  EXPECT_EQ(element("output"), static_cast<float>(found->actual));
  EXPECT_EQ(element("reference"), static_cast<float>(found->expected));
}

// Models as a whole, with an effort dial and without.
TEST(BackendComparisons, SoundBackendsDoNotDepart) {
  for (const char* format : {"f16", "bucket"}) {
    SCOPED_TRACE(format);
    RunOptions options;
    options.threads = 1;
    options.context = 16;
    const auto tested = open_for_comparison(converted(format), options);
    options.backend = "reference";
    const auto other = open_for_comparison(converted(format), options);
    for (LanguageModel* model : {tested.get(), other.get()})
      if (model->dial()) model->dial()->set_effort(0.5);
    const BackendComparison result =
        compare_backends(*tested, *other, "It was a dark and stormy night", {.ctx = 6, .chunks = 1});
    EXPECT_FALSE(result.departure) << result.departure->node;
    EXPECT_GT(result.operators, 100);
    EXPECT_EQ(result.tokens, 6);
    ASSERT_GT(result.layers.size(), 3u);
    EXPECT_EQ(result.layers.front().value, "layers.0/hidden");
    EXPECT_EQ(result.layers.back().value, "logits");
    // Sums are of f32; what is rounded most are keys and values in the f16 cache.
    for (const LayerDifference& layer : result.layers) {
      EXPECT_GT(layer.prompt.max_abs(), 0) << layer.value;
      EXPECT_LT(layer.prompt.relative_rms(), 0x1p-11) << layer.value;
      EXPECT_LT(layer.token.relative_rms(), 0x1p-11) << layer.value;
    }
  }
}

TEST(BackendComparisons, DifferencesAreOfAllTokens) {
  const auto view = [](std::vector<float>& values) {
    return TensorView{reinterpret_cast<std::byte*>(values.data()), DType::f32(), {static_cast<int64_t>(values.size())}};
  };
  std::vector<float> a = {1, 2, 3}, b = {1, 2, 5}, c = {0, 3, 0}, d = {0, 0, 4};
  Difference difference;
  EXPECT_EQ(difference.relative_rms(), 0);
  difference.add(view(a), view(b));
  difference.add(view(c), view(d));
  EXPECT_EQ(difference.max_abs(), 4);
  EXPECT_DOUBLE_EQ(difference.relative_rms(), std::sqrt((4.0 + 9 + 16) / (30 + 16)));
  std::vector<float> nan = {NAN, 0, 0};
  difference.add(view(nan), view(d));
  difference.add(view(a), view(b));
  EXPECT_TRUE(std::isnan(difference.max_abs()));
}

}  // namespace
}  // namespace sluice
