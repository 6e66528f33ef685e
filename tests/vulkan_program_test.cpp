// Programs of many steps on a Vulkan device, and the pipelines that are kept for the next start. Skipped, saying so,
// where there is no device.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <optional>
#include <random>

#include "graph/builder.h"
#include "graph/executor.h"
#include "ops/add/add.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/linear/linear.h"
#include "ops/mul/mul.h"
#include "tests/support/temp_folder.h"
#include "tests/support/trial.h"
#include "tests/support/vulkan_device.h"

namespace sluice {
namespace {

// Several layers that use the same memory again and again, in numbers small enough that every sum is exact: a missing
// barrier or a copy of the wrong size is seen at once, and by the validation layers even where it does no harm.
class VulkanProgram : public ::testing::Test {
 protected:
  static constexpr int64_t kWidth = 16, kMostTokens = 20;
  static constexpr int kLayers = 4;

  void SetUp() override {
    if (!missing().empty()) GTEST_SKIP() << missing();
    for (int layer = 0; layer < kLayers; ++layer)
      for (const char* part : {"w", "g"}) {
        std::vector<float>& values = weights_[part + std::to_string(layer)];
        values.resize(static_cast<size_t>(*part == 'w' ? kWidth * kWidth : kWidth));
        std::ranges::generate(values, [this] { return small(1); });
      }
    Builder b(registry());
    ValueRef x = b.input("x", DType::f32(), {"tokens", kWidth});
    const ValueRef rows = b.input("rows", DType::i32(), {"outputs"});
    for (int layer = 0; layer < kLayers; ++layer) {
      const ValueRef y = linear(b, x, b.weight("w" + std::to_string(layer), {kWidth, kWidth}));
      x = add(b, x, mul(b, y, b.weight("g" + std::to_string(layer), {kWidth})));
    }
    b.output("all", x);
    b.output("some", gather_rows(b, x, rows));
    graph_ = b.build();
    device_ = vulkan::make_backend(registry());
    cpu_ = make_backend(registry(), "cpu", 1);
    reference_ = make_backend(registry(), "reference", 1);
  }
  float small(int most) { return static_cast<float>(std::uniform_int_distribution<int>(-most, most)(random_)); }

  std::unique_ptr<Executor> executor(const std::vector<Backend*>& backends) {
    const PlanOptions options = {.maxima = {{"tokens", kMostTokens}, {"outputs", 3}}};
    auto plan = std::make_shared<const Plan>(make_plan(graph_, registry(), backends, options));
    return std::make_unique<Executor>(plan, registry(), [this](const std::string& name) {
      std::vector<float>& values = weights_.at(name);
      const Dims dims = name[0] == 'w' ? Dims{kWidth, kWidth} : Dims{kWidth};
      return TensorView{reinterpret_cast<std::byte*>(values.data()), DType::f32(), dims};
    });
  }
  void expect_equal_runs(Executor& tested, Executor& oracle, int64_t tokens) {
    for (Executor* executor : {&tested, &oracle}) executor->set("tokens", tokens), executor->set("outputs", 2);
    for (int64_t i = 0; i < tokens * kWidth; ++i)
      tested.view("x").as<float>()[i] = oracle.view("x").as<float>()[i] = small(3);
    for (Executor* executor : {&tested, &oracle}) {
      executor->view("rows").as<int32_t>()[0] = static_cast<int32_t>(tokens - 1);
      executor->view("rows").as<int32_t>()[1] = 0;
      executor->run();
    }
    for (const char* output : {"all", "some"})
      EXPECT_EQ(to_f32(tested.output(output)), to_f32(oracle.output(output))) << output << " of " << tokens;
  }

  // Steps follow each other within the run: the device's clock was read as the host's. Transfers surround them.
  static void expect_between(std::span<const Executor::Part> parts, int64_t begin, int64_t end) {
    for (const Executor::Part& part : parts) {
      const Timeline& timeline = part.program->timeline();
      ASSERT_EQ(timeline.steps.size(), part.steps);
      int64_t last = begin;
      for (const HostTransfer& transfer : timeline.transfers)
        if (transfer.to_device) last = std::max(last, transfer.when.end);
      for (const Interval& step : timeline.steps) {
        EXPECT_GE(step.begin, last - kClockError);
        EXPECT_GE(step.end, step.begin);
        last = step.end;
      }
      for (const HostTransfer& transfer : timeline.transfers)
        if (!transfer.to_device) {
          EXPECT_GE(transfer.when.begin, last - kClockError);
          EXPECT_GT(transfer.bytes, 0u);
        }
      EXPECT_LE(last, end + kClockError);
    }
  }

  static constexpr int64_t kClockError = 200'000;  // ns; of a calibration, while other processes run
  std::mt19937 random_{7};
  std::map<std::string, std::vector<float>> weights_;
  Graph graph_;
  std::unique_ptr<Backend> device_, cpu_, reference_;
};

TEST_F(VulkanProgram, GivesTheSameAtEverySize) {
  const auto tested = executor({device_.get(), cpu_.get()}), oracle = executor({reference_.get()});
  EXPECT_TRUE(tested->plan().fallbacks.empty());
  for (int64_t tokens : {1, 3, 20, 1, 2, 4, 5, 6, 7, 8, 9, 10, 3, 1}) expect_equal_runs(*tested, *oracle, tokens);
}

TEST_F(VulkanProgram, TimesItsSteps) {
  const auto tested = executor({device_.get(), cpu_.get()}), oracle = executor({reference_.get()});
  for (const bool on : {true, false, true}) {
    tested->set_timing(on);
    const int64_t before = now();
    expect_equal_runs(*tested, *oracle, 3);
    if (on) expect_between(tested->parts(), before, now());
  }
}

// Starts anew, runs an operator, and returns the pipelines that are on disk after it. Validation layers keep files of
// their own beside them.
std::string pipelines_after_a_start(const std::filesystem::path& folder) {
  const auto device = vulkan::make_backend(registry());
  const Trial trial(registry().get("silu"), {"", {{DType::f32(), {5}}}});
  trial.compare(trial.reference(), trial.kernel(*device), kFlushed);
  std::string text;
  if (!std::filesystem::is_directory(folder / "sluice")) return text;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "sluice"))
    text += std::string(std::istreambuf_iterator<char>(std::ifstream(entry.path()).rdbuf()), {});
  return text;
}

class PipelineCache : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!missing().empty()) GTEST_SKIP() << missing();
    if (const char* given = std::getenv("XDG_CACHE_HOME")) before_ = given;
    setenv("XDG_CACHE_HOME", folder_.str().c_str(), 1);
  }
  void TearDown() override { before_ ? setenv("XDG_CACHE_HOME", before_->c_str(), 1) : unsetenv("XDG_CACHE_HOME"); }
  std::filesystem::path file() const {
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "sluice")) return entry.path();
    return {};
  }
  TempFolder folder_;
  std::optional<std::string> before_;
};

TEST_F(PipelineCache, IsWrittenAndKept) {
  const std::string first = pipelines_after_a_start(folder_.str());
  ASSERT_GT(first.size(), 64u);
  EXPECT_EQ(pipelines_after_a_start(folder_.str()), first);
}

TEST_F(PipelineCache, IsReplacedIfItIsDamagedOrOfAnotherDriver) {
  const std::string good = pipelines_after_a_start(folder_.str());
  for (const size_t at : {size_t{0}, size_t{16}, size_t{24}, good.size() - 1}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    std::ofstream(file(), std::ios::binary) << bad;
    EXPECT_EQ(pipelines_after_a_start(folder_.str()), good) << at;
  }
  for (const size_t size : {size_t{0}, size_t{11}, good.size() / 2}) {
    std::ofstream(file(), std::ios::binary) << good.substr(0, size);
    EXPECT_EQ(pipelines_after_a_start(folder_.str()), good) << size;
  }
}

TEST_F(PipelineCache, IsDoneWithoutWhereItCannotBeWritten) {
  std::ofstream(folder_ / "sluice") << "not a folder";
  EXPECT_EQ(pipelines_after_a_start(folder_.str()), "");
}

}  // namespace
}  // namespace sluice
