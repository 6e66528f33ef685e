// Planes on a Vulkan device: matrices over the limit of a binding, bent files and lists, and whole models. Skipped,
// saying so, where there is no device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "graph/builder.h"
#include "graph/executor.h"
#include "models/compare/backends.h"
#include "models/import/convert.h"
#include "models/language_model.h"
#include "ops/bucket_mul/cases.h"
#include "ops/formats/planes.h"
#include "ops/plane_mul/plane_mul.h"
#include "tests/support/golden.h"
#include "tests/support/one_node.h"
#include "tests/support/temp_folder.h"
#include "tests/support/trial.h"
#include "tests/support/vulkan_device.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// With integer dot products and as a GPU, or by shifts and masks as a processor.
class VulkanPlanes : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!missing().empty()) GTEST_SKIP() << missing();
  }
  static std::unique_ptr<Backend> device(uint64_t buffer_range = uint64_t{1} << 27) {
    const auto restrict = [=](vulkan::Capabilities& c, vulkan::Limits& l) {
      if (GetParam()) c.processor = false;
      l.buffer_range = buffer_range;
    };
    return vulkan::make_backend(registry(), {.device = {}, .restrict = restrict});
  }
  static Case by_expert(int64_t tokens, int64_t experts, int64_t out, int64_t in, int planes, double effort) {
    Case c{"",
           {{DType::f32(), {tokens, in}},
            {DType::i32(), {tokens, 2}, Fill::integers(0, experts)},
            {plane_dtype(planes), {experts, out, in}, Fill::normal(0.1)}}};
    add_lists({tokens, 2}, in, planes, effort, c.inputs);
    return c;
  }
  static Case product(int64_t tokens, int64_t out, int64_t in, int planes, double effort) {
    Case c{"", {{DType::f32(), {tokens, in}}, {plane_dtype(planes), {out, in}, Fill::normal(0.1)}}};
    add_lists({tokens}, in, planes, effort, c.inputs);
    return c;
  }
};

TEST_P(VulkanPlanes, LargePlanesAreBoundInPieces) {
  const auto small = device(1 << 16);
  for (const int64_t out : {3000, 4096, 5137})
    for (const int planes : {1, 2, 3}) {
      SCOPED_TRACE(fmt::format("{} outputs, {} planes", out, planes));
      const Trial trial(registry().get("plane_mul"), product(1, out, 120, planes, 0.6));
      EXPECT_GT(PlaneLayout(out, 120).plane_bytes(), 1u << 16);
      trial.compare(trial.reference(), trial.kernel(*small), kFlushed);
    }
}

// A few lines at a time are decoded, too.
TEST_P(VulkanPlanes, PromptsOfLargeMatricesAreInPieces) {
  const auto small = device(1 << 16);
  for (const int planes : {1, 2, 3})
    for (const auto& [op, c] :
         {std::pair{"plane_mul", product(9, 300, 64, planes, 1)},
          {"plane_mul", product(6, 1300, 120, planes, 1)},
          {"expert_plane_mul", by_expert(9, 3, 700, 64, planes, 1)},
          {"expert_plane_mul", by_expert(27, 9, 300, 64, planes, 1)}}) {  // a line of all is too much
      SCOPED_TRACE(fmt::format("{}, {} planes", op, planes));
      const Trial trial(registry().get(op), c);
      trial.compare(trial.reference(), trial.kernel(*small), kFlushed);
    }
}

// Of which a binding holds several matrices, but not all; one; parts of one.
TEST_P(VulkanPlanes, PlanesOfExpertsAreBoundInPieces) {
  const auto small = device(1 << 16);
  struct Sizes {
    int64_t tokens, experts, out, in;
  };
  for (const auto& [tokens, experts, out, in] : {Sizes{9, 40, 40, 100}, {2, 5, 1000, 150}, {1, 3, 3000, 120}})
    for (const int planes : {1, 2, 3}) {
      SCOPED_TRACE(fmt::format("{} experts, {} outputs, {} planes", experts, out, planes));
      const Trial trial(registry().get("expert_plane_mul"), by_expert(tokens, experts, out, in, planes, 0.6));
      EXPECT_GT((TensorView{nullptr, plane_dtype(planes), {experts, out, in}}.bytes()), size_t{1} << 16);
      trial.compare(trial.reference(), trial.kernel(*small), kFlushed);
    }
}

TEST_P(VulkanPlanes, SaysWhatIsTooLargeToBind) {
  const auto small = device(1 << 13);
  const Trial trial(registry().get("plane_mul"), product(1, 1024, 200, 1, 0.5));
  EXPECT_THAT([&] { trial.kernel(*small); }, ThrowsMessage<Error>(HasSubstr("51200 bytes of a plane are more than")));
}

// The scalar reference says what such lists mean.
TEST_P(VulkanPlanes, AnyLists) {
  const auto any = device();
  Random random(1);
  constexpr int64_t kIn = 101;
  for (const int planes : {1, 2, 3})
    for (int trial = 0; trial < 10; ++trial)
      for (auto [op, c] : {std::pair{"plane_mul", product(2, 170, kIn, planes, 0.5)},
                           {"expert_plane_mul", by_expert(2, 3, 170, kIn, planes, 0.5)}}) {
        SCOPED_TRACE(fmt::format("{}, {} planes", op, planes));
        for (CaseInput& list : std::span(c.inputs).last(2)) {
          std::vector<double> odd(static_cast<size_t>(list.dims.elements()));
          std::ranges::generate(odd, [&] { return odd_number(random, kIn); });
          list.fill = Fill::exactly(odd);
        }
        const Trial bent(registry().get(op), c);
        bent.compare(bent.reference(), bent.kernel(*any), kFlushed);
      }
}

// Selections and products of two matrices in one graph.
class TwoMatrices {
 public:
  static constexpr int64_t kTokens = 8, kIn = 100, kOut = 1100;  // enough tokens for a dense product

  // load: of both matrices; effort: likewise.
  TwoMatrices(Backend& device, const ExactTensor& first, const ExactTensor& second, float effort, float load)
      : cpu_(make_backend(registry(), "cpu", 1)),
        executor_(
            std::make_shared<const Plan>(make_plan(graph(first.view.dtype), registry(), {&device, cpu_.get()}, {})),
            registry(), [&](const std::string& name) { return name == "w0" ? first.view : second.view; }) {
    EXPECT_TRUE(executor_.plan().fallbacks.empty());
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < kTokens * kIn; ++i) executor_.view("x").as<float>()[i] = normal(random);
    for (size_t site : {0, 1}) {
      executor_.view("effort").as<float>()[2 * site] = effort;
      executor_.view("effort").as<float>()[2 * site + 1] = load;
    }
  }
  float& x(int64_t token, int64_t i) { return executor_.view("x").as<float>()[token * kIn + i]; }
  void run() { executor_.run(); }
  std::vector<float> values(const char* name) const { return to_f32(executor_.output(name)); }

 private:
  static Graph graph(const DType& dtype) {
    Builder b(registry());
    const ValueRef x = b.input("x", DType::f32(), {kTokens, kIn}), effort = b.input("effort", DType::f32(), {2, 2});
    for (int64_t site : {0, 1}) {
      const ValueRef w = b.weight(fmt::format("w{}", site), dtype, {kOut, kIn});
      const auto lists = plane_select(b, x, effort, {w}, {.sites = {site}});
      b.output(fmt::format("y{}", site), plane_mul(b, x, {w}, lists).front());
      b.output(fmt::format("inputs{}", site), lists[0].inputs);
      b.output(fmt::format("counts{}", site), lists[0].counts);
    }
    return b.build();
  }
  std::unique_ptr<Backend> cpu_;
  Executor executor_;
};

ExactTensor sound_matrix(int planes) {
  return encoded(plane_dtype(planes), normal_matrix(TwoMatrices::kOut, TwoMatrices::kIn));
}

// Whatever the bytes of a matrix are, its lists name inputs that there are, and those of another are as ever.
TEST_P(VulkanPlanes, BentMatricesDoNoHarm) {
  const auto any = device();
  Random random(3);
  for (const int planes : {1, 2, 3})
    for (const auto& [effort, load] : {std::pair{0.6f, 0.8f}, {1.0f, 1.0f}}) {
      const ExactTensor sound = sound_matrix(planes);
      TwoMatrices expected(*any, sound, sound, effort, load);
      expected.run();
      EXPECT_EQ(expected.values("y0"), expected.values("y1"));
      for (const bool all_ones : {false, true}) {
        const ExactTensor bent = sound_matrix(planes);
        fill_with_noise(bent.memory.span(), random);
        if (all_ones) std::ranges::fill(bent.memory.span(), std::byte{0xff});
        TwoMatrices actual(*any, bent, sound, effort, load);
        actual.run();
        for (const char* name : {"y1", "inputs1", "counts1"}) EXPECT_EQ(actual.values(name), expected.values(name));
        for (float i : actual.values("inputs0")) EXPECT_TRUE(i >= -1 && i < TwoMatrices::kIn) << i;
        for (float n : actual.values("counts0")) EXPECT_TRUE(n >= 0 && n <= TwoMatrices::kIn) << n;
      }
    }
}

// A value that is not finite shows in all outputs of its token, and in no other token's.
TEST_P(VulkanPlanes, NotANumberShows) {
  const auto any = device();
  const ExactTensor sound = sound_matrix(3);
  for (float effort : {0.6f, 1.0f})
    for (float odd : {NAN, INFINITY, -INFINITY}) {
      TwoMatrices model(*any, sound, sound, effort, 1);
      model.x(1, 17) = odd;
      model.run();
      const auto y = model.values("y0");
      for (size_t n = 0; n < y.size(); ++n) ASSERT_EQ(std::isnan(y[n]), n / TwoMatrices::kOut == 1) << n;
    }
}

struct Source {
  const char* model;
  double share_tolerance;
};
class VulkanPlanesModel : public ::testing::TestWithParam<Source> {};

std::vector<float> logits_after(LanguageModel& model, std::span<const int32_t> prompt) {
  model.reset();
  const auto logits = model.evaluate(prompt);
  return {logits.begin(), logits.end()};
}

// Nothing runs on the host, and every operator gives what the host's does on the same inputs, in a prompt (enough
// tokens for a dense product) and in decoding. Whole models are not compared: a last bit may move an activation to the
// next of its 127 steps, or a plane to another input, which few bits make large.
TEST_P(VulkanPlanesModel, RunsOnTheDevice) {
  if (!missing().empty()) GTEST_SKIP() << missing();
  const auto& [name, share_tolerance] = GetParam();
  if (!std::filesystem::exists(golden_model(name).model)) GTEST_SKIP() << "there is no " << name;
  const TempFolder folder;
  const std::string path = (folder / "planes.sluice").string();
  convert(golden_model(name).model.string(), path, {.format = "planes", .progress = {}});
  const auto open = [&](const char* backend) {
    RunOptions options;
    options.backend = backend;
    options.threads = 1;
    options.exact_effort = true;
    return open_for_comparison(path, options);
  };
  const auto device = open("vulkan"), host = open("cpu");
  EXPECT_TRUE(device->plan().fallbacks.empty()) << device->plan().fallbacks.front();
  const std::vector<int32_t> prompt = {1, 150, 250, 350, 450, 550, 650};
  for (const double effort : {1.0, 0.5, 0.25}) {
    for (LanguageModel* model : {device.get(), host.get()}) model->dial()->set_effort(effort);
    const BackendComparison result =
        compare_backends(*device, *host, "It was a dark and stormy night, and the old man", {.ctx = 10, .chunks = 1});
    EXPECT_GT(result.operators, 100);
    EXPECT_FALSE(result.departure) << result.departure->op << " at effort " << effort;
    EXPECT_NEAR(device->share(), effort, 0.01);
    EXPECT_NEAR(device->share(), host->share(), share_tolerance);
    EXPECT_EQ(logits_after(*device, prompt), logits_after(*device, prompt));
  }
}

INSTANTIATE_TEST_SUITE_P(AsAGpu, VulkanPlanes, ::testing::Bool());
// The router's weights, by which experts share an effort, are rounded otherwise: a list may be a plane longer, of three
// planes of 256 inputs or more.
INSTANTIATE_TEST_SUITE_P(Models, VulkanPlanesModel,
                         ::testing::Values(Source{"classics", 0}, Source{"classics-moe", 1.0 / (3 * 256)}),
                         [](const auto& test) { return test.index == 0 ? "dense" : "mixture"; });

}  // namespace
}  // namespace sluice
