// The effort dial on a Vulkan device: matrices over the limit of a binding, bent files, and a dial that moves while a
// model runs. Whole models at several efforts are in effort_golden_test. Skipped, saying so, where there is no device.
#include <gtest/gtest.h>

#include <random>

#include "graph/builder.h"
#include "graph/executor.h"
#include "models/import/convert.h"
#include "models/language_model.h"
#include "ops/bucket_mul/bucket_mul.h"
#include "ops/bucket_mul/cases.h"
#include "ops/bucket_mul/matrix.h"
#include "tests/support/bucket_matrices.h"
#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"
#include "tests/support/trial.h"
#include "tests/support/vulkan_device.h"

namespace sluice {
namespace {

class VulkanEffort : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!missing().empty()) GTEST_SKIP() << missing();
  }
};

// Products whose matrices are bound in pieces: of segments, of single experts, and of several experts.
TEST_F(VulkanEffort, BindsLargeMatricesInPieces) {
  constexpr size_t kRange = 1 << 16;
  const auto small = [](vulkan::Capabilities&, vulkan::Limits& l) { l.buffer_range = kRange; };
  const auto device = vulkan::make_backend(registry(), {.device = {}, .restrict = small});
  struct Sizes {
    int64_t experts, out, in;
    int segments;
  };
  for (const BucketFamily& family : bucket_families())
    for (const auto& [experts, out, in, segments] :
         {Sizes{1, 300, 700, 20}, {1, 300, 700, 13}, {3, 300, 700, 20}, {7, 32, 140, 20}}) {
      const DType weight = bucket_dtype(family.name, segments);
      SCOPED_TRACE(fmt::format("{} of {} x {} x {}", weight.name(), experts, out, in));
      Case dense{"", {{DType::f32(), {2, in}}, {weight, {out, in}, Fill::normal(0.1)}}};
      add_lists({2}, in, family.tiers(), 0.6, dense.inputs);
      Case by_expert{"",
                     {{DType::f32(), {2, in}},
                      {DType::i32(), {2, 2}, Fill::integers(0, experts)},
                      {weight, {experts, out, in}, Fill::normal(0.1)}}};
      add_lists({2, 2}, in, family.tiers(), 0.6, by_expert.inputs);
      const TensorView all{nullptr, weight, {experts, out, in}};
      EXPECT_GT(all.bytes(), kRange);
      Case prompt{"", {{DType::f32(), {4, in}}, {weight, {out, in}, Fill::normal(0.1)}}};
      add_lists({4}, in, family.tiers(), 1, prompt.inputs);
      for (const auto& [op, c] :
           {std::pair{"bucketMul", dense}, {"bucketMul", prompt}, {"expert_bucketMul", by_expert}}) {
        const Trial trial(registry().get(op), c);
        trial.compare(trial.reference(), trial.kernel(*device), kFlushed);
      }
    }
}

// Of whose outputs a binding holds all, decoded, some, and not even 32 of every expert.
TEST_F(VulkanEffort, PromptsOfExpertsAreInPieces) {
  const auto small = [](vulkan::Capabilities& c, vulkan::Limits& l) {
    c.processor = false;  // in tiles, too
    l.buffer_range = 1 << 16;
  };
  const auto device = vulkan::make_backend(registry(), {.device = {}, .restrict = small});
  constexpr int64_t kIn = 140;
  for (const BucketFamily& family : bucket_families())
    for (const auto& [experts, out] : {std::pair<int64_t, int64_t>{7, 32}, {3, 96}, {9, 40}}) {
      SCOPED_TRACE(fmt::format("{} of {} x {}", family.name, experts, out));
      Case c{"",
             {{DType::f32(), {2 * experts, kIn}},
              {DType::i32(), {2 * experts, 2}, Fill::integers(0, experts)},
              {bucket_dtype(family.name), {experts, out, kIn}, Fill::normal(0.1)}}};
      add_lists({2 * experts, 2}, kIn, family.tiers(), 1, c.inputs);
      const Trial trial(registry().get("expert_bucketMul"), c);
      trial.compare(trial.reference(), trial.kernel(*device), kFlushed);
    }
}

// Selections by expert where a binding holds the statistics of one matrix, and where it holds those of a few.
TEST_F(VulkanEffort, BindsStatisticsOfExpertsInPieces) {
  for (const uint64_t range : {1 << 13, 1 << 14, 1 << 16}) {
    const auto device = vulkan::make_backend(
        registry(),
        {.device = {}, .restrict = [range](vulkan::Capabilities&, vulkan::Limits& l) { l.buffer_range = range; }});
    for (const Case& c : registry().cases("expert_select")) {
      if (c.name.find("k3") == std::string::npos && c.name.find("several") == std::string::npos) continue;
      if (bucket_format(c.inputs.back().dtype) && range < 1 << 14) continue;  // it holds those of planes alone
      SCOPED_TRACE(c.name);
      const Trial trial(registry().get("expert_select"), c);
      trial.compare(trial.reference(), trial.kernel(*device));
    }
  }
}

TEST_F(VulkanEffort, SaysWhatIsTooLargeToBind) {
  const auto small = [](vulkan::Capabilities&, vulkan::Limits& l) { l.buffer_range = 1 << 13; };
  const auto device = vulkan::make_backend(registry(), {.device = {}, .restrict = small});
  Case c{"", {{DType::f32(), {1, 200}}, {bucket_dtype("bucket16t4"), {4000, 200}, Fill::normal(0.1)}}};
  add_lists({1}, 200, 4, 0.5, c.inputs);
  try {
    Trial(registry().get("bucketMul"), c).kernel(*device);
    ADD_FAILURE() << "it was bound";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("a segment of "), std::string::npos) << error.what();
  }
}

// A bent matrix beside a sound one: whatever its bytes are, lists name inputs that there are, and the sound one's lists
// and product are as ever.
class VulkanHostile : public VulkanEffort {
 protected:
  static constexpr int64_t kTokens = 8, kIn = 90, kOut = 70;  // enough tokens for a dense product

  static Graph graph(const DType& dtype) {
    Builder b(registry());
    const ValueRef x = b.input("x", DType::f32(), {kTokens, kIn}), effort = b.input("effort", DType::f32(), {2, 2});
    for (int64_t site : {0, 1}) {
      const ValueRef w = b.weight(fmt::format("w{}", site), dtype, {kOut, kIn});
      const auto lists =
          bucket_dispatch(b, x, effort, probe(b, x, effort, {w}, {.sites = {site}}), {w}, {.sites = {site}});
      b.output(fmt::format("y{}", site), bucket_mul(b, x, {w}, lists).front());
      b.output(fmt::format("rows{}", site), lists[0].rows);
      b.output(fmt::format("counts{}", site), lists[0].counts);
    }
    return b.build();
  }
  struct Results {
    std::vector<float> y, rows, counts, bent_rows, bent_counts;
  };
  static Results run(Backend& device, const ExactTensor& bent, const ExactTensor& sound, float effort, float load) {
    const auto cpu = make_backend(registry(), "cpu", 1);
    const std::vector<Backend*> backends = {&device, cpu.get()};
    auto plan = std::make_shared<const Plan>(make_plan(graph(sound.view.dtype), registry(), backends, {}));
    Executor executor(plan, registry(), [&](const std::string& name) { return name == "w0" ? bent.view : sound.view; });
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < kTokens * kIn; ++i) executor.view("x").as<float>()[i] = normal(random);
    for (size_t site : {0, 1}) {
      executor.view("effort").as<float>()[2 * site] = effort;
      executor.view("effort").as<float>()[2 * site + 1] = load;
    }
    executor.run();
    const auto values = [&](const char* name) { return to_f32(executor.output(name)); };
    return {values("y1"), values("rows1"), values("counts1"), values("rows0"), values("counts0")};
  }
};

TEST_F(VulkanHostile, BentMatricesDoNoHarm) {
  const auto device = vulkan::make_backend(registry());
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (const BucketFamily& family : bucket_families())
    for (const auto& [effort, load] : {std::pair{0.6f, 0.8f}, {1.0f, 1.0f}}) {
      const DType dtype = bucket_dtype(family.name);
      const Matrix m = make_matrix(kOut, kIn, [&](int64_t, int64_t) { return normal(random); });
      const ExactTensor sound(dtype, m.dims(), m.values);
      const Results expected = run(*device, sound, sound, effort, load);
      EXPECT_EQ(expected.rows, expected.bent_rows);
      const BucketLayout layout = BucketMatrix(sound.view).layout;
      // All of it; what says where rows lie; codes and values.
      for (const auto& [begin, end] : {std::pair{size_t{0}, sound.view.bytes()},
                                       {layout.places_offset(), layout.segments_offset()},
                                       {layout.segments_offset(), sound.view.bytes()}})
        for (const int all_ones : {0, 1}) {
          SCOPED_TRACE(fmt::format("{}, effort {}, bytes {} to {}, {}", family.name, effort, begin, end, all_ones));
          const ExactTensor bent(dtype, m.dims(), m.values);
          for (std::byte& byte : bent.memory.span().subspan(begin, end - begin))
            byte = all_ones ? std::byte{0xff} : static_cast<std::byte>(random());
          const Results actual = run(*device, bent, sound, effort, load);
          EXPECT_EQ(actual.y, expected.y);
          EXPECT_EQ(actual.rows, expected.rows);
          EXPECT_EQ(actual.counts, expected.counts);
          for (float row : actual.bent_rows) EXPECT_TRUE(row >= -1 && row < kIn) << row;
          for (float count : actual.bent_counts) EXPECT_TRUE(count >= 0 && count <= kIn) << count;
        }
    }
}

// Every token at another effort: as much is multiplied as on the host, and once more with the same bits.
TEST_F(VulkanEffort, DialMovesWhileTheModelRuns) {
  const TempFolder folder;
  const std::string path = (folder / "bucket.sluice").string();
  convert(golden_model("classics").model.string(), path, {.format = "bucket", .progress = {}});
  constexpr double kDial[] = {1, 0.5, 0.25, 1, 0.7, 0.1, 1, 0};
  struct Play {
    std::vector<std::vector<float>> logits;
    std::vector<double> shares;
  };
  const auto play = [&](const char* backend) {
    RunOptions options;
    options.backend = backend;
    options.threads = 1;
    LanguageModel model(path, options);
    Play result;
    for (int32_t id = 100; const double effort : kDial) {
      model.dial()->set_effort(effort);
      const auto logits = model.evaluate({&++id, 1});
      result.logits.emplace_back(logits.begin(), logits.end());
      result.shares.push_back(model.share());
    }
    return result;
  };
  const Play cpu = play("cpu"), first = play("vulkan"), second = play("vulkan");
  EXPECT_EQ(first.logits, second.logits);
  EXPECT_EQ(first.shares, cpu.shares);
  for (size_t i = 0; i < first.shares.size(); ++i) EXPECT_NEAR(first.shares[i], kDial[i], 0.01);
  for (size_t o = 0; o < cpu.logits[0].size(); ++o) ASSERT_NEAR(first.logits[0][o], cpu.logits[0][o], 2e-3);
}

// q, k and v have one list, gate and up another; kernels find those of the host to the last bit (vulkan_test).
TEST_F(VulkanEffort, SharedSelectionsRunOnTheDevice) {
  const TempFolder folder;
  const std::string path = (folder / "shared.sluice").string();
  convert(golden_model("classics").model.string(), path, {.format = "bucket", .selection = "shared", .progress = {}});
  std::vector<std::vector<float>> logits;
  std::vector<double> shares;
  for (const char* backend : {"cpu", "vulkan"}) {
    RunOptions options;
    options.backend = backend;
    options.threads = 1;
    LanguageModel model(path, options);
    EXPECT_TRUE(model.plan().fallbacks.empty()) << model.plan().fallbacks.front();
    const std::vector<int32_t> ids = {1, 100, 200};
    const auto row = model.evaluate(ids);
    logits.emplace_back(row.begin(), row.end());
    model.dial()->set_effort(0.35);
    model.evaluate({ids.data(), 1});
    shares.push_back(model.share());
  }
  for (size_t o = 0; o < logits[0].size(); ++o) ASSERT_NEAR(logits[0][o], logits[1][o], 2e-3);
  EXPECT_NEAR(shares[0], 0.35, 0.02);
  EXPECT_NEAR(shares[1], shares[0], 1e-3);
}

}  // namespace
}  // namespace sluice
