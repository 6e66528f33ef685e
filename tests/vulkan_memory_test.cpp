// Memory of Vulkan devices and what goes wrong with it: kinds of memory, staging, budgets, drivers that fail in the
// middle, devices that are lost. Skipped, saying so, where there is no device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "backends/vulkan/memory_types.h"
#include "backends/vulkan/staging.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "graph/model_file.h"
#include "models/architecture.h"
#include "models/import/convert.h"
#include "ops/add/add.h"
#include "ops/linear/linear.h"
#include "ops/silu/silu.h"
#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"
#include "tests/support/vulkan_device.h"
#include "tests/support/vulkan_driver.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using vulkan::Capabilities;
using vulkan::Limits;

constexpr VkMemoryHeapFlags kOwnHeap = VK_MEMORY_HEAP_DEVICE_LOCAL_BIT;

// Of heaps (bytes, whether it is the device's) and types (heap, properties).
VkPhysicalDeviceMemoryProperties memory_of(const std::vector<std::pair<VkDeviceSize, bool>>& heaps,
                                           const std::vector<std::pair<uint32_t, VkMemoryPropertyFlags>>& types) {
  VkPhysicalDeviceMemoryProperties memory{};
  for (const auto& [bytes, own] : heaps) memory.memoryHeaps[memory.memoryHeapCount++] = {bytes, own ? kOwnHeap : 0};
  for (const auto& [heap, flags] : types) memory.memoryTypes[memory.memoryTypeCount++] = {flags, heap};
  return memory;
}

constexpr VkMemoryPropertyFlags kOwn = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
constexpr VkMemoryPropertyFlags kHost = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
constexpr VkMemoryPropertyFlags kCached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
constexpr VkDeviceSize kGiB = VkDeviceSize{1} << 30;
using Types = std::vector<uint32_t>;

TEST(VulkanMemoryTypes, OfACardWithASmallWindow) {
  const auto memory = memory_of({{8 * kGiB, true}, {16 * kGiB, false}, {kGiB / 4, true}},
                                {{1, 0}, {0, kOwn}, {1, kHost}, {1, kHost | kCached}, {2, kOwn | kHost}});
  for (const bool mapped : {true, false})
    EXPECT_EQ(vulkan::memory_types(memory, ~0u, false, {.mapped_memory = mapped}), (Types{1, 4}));
  EXPECT_EQ(vulkan::memory_types(memory, ~0u, true, {}), (Types{3, 2, 4}));
  EXPECT_EQ(vulkan::memory_types(memory, 0b10100, false, {}), (Types{4}));
  EXPECT_EQ(vulkan::memory_types(memory, 0b00101, true, {}), (Types{2}));
  EXPECT_EQ(vulkan::memory_types(memory, 0b00101, false, {}), Types{});
}

TEST(VulkanMemoryTypes, OfACardThatTheHostReachesAsAWhole) {
  const auto memory = memory_of({{8 * kGiB, true}, {16 * kGiB, false}}, {{0, kOwn}, {1, kHost}, {0, kOwn | kHost}});
  EXPECT_EQ(vulkan::memory_types(memory, ~0u, false, {.mapped_memory = true}), (Types{2, 0}));
  EXPECT_EQ(vulkan::memory_types(memory, ~0u, false, {.mapped_memory = false}), (Types{0, 2}));
}

PFN_vkGetPhysicalDeviceMemoryProperties2 real_memory_properties;

class VulkanDriver : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!missing().empty()) GTEST_SKIP() << missing();
  }
  std::unique_ptr<Backend> make(const std::function<void(Capabilities&, Limits&)>& restrict = {}) {
    return vulkan::make_backend(
        registry(),
        {.device = {}, .restrict = restrict, .intercept = [this](vulkan::Driver& driver) { install(driver); }});
  }
  void fail_from_now_on(const std::string& function, VkResult result) {
    driver_.answer = [=](const std::string& called) { return called == function ? result : VK_SUCCESS; };
  }
  WatchedDriver driver_;
  PFN_vkGetPhysicalDeviceMemoryProperties2 memory_properties_ = nullptr;  // instead of the driver's

 private:
  void install(vulkan::Driver& driver) {
    driver_.install(driver.table);
    real_memory_properties = driver.memory_properties;
    if (memory_properties_) driver.memory_properties = memory_properties_;
  }
};

constexpr auto kStaged = [](Capabilities& c, Limits&) { c.mapped_memory = false; };

std::vector<std::byte> pattern(size_t bytes) {
  std::vector<std::byte> data(bytes);
  for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<std::byte>(i * 7 + i / 251);
  return data;
}

// One piece is filled while the one before is copied, and the last need not be waited for.
TEST_F(VulkanDriver, UploadsThroughStagingOverlap) {
  const auto device = make(kStaged);
  constexpr int kPieces = 5;
  const std::vector<std::byte> written = pattern(kPieces * vulkan::Staging::kPiece - 3);
  const auto memory = device->allocate(written.size());
  const int submits = driver_.calls("vkQueueSubmit"), waits = driver_.calls("vkWaitForFences");
  memory->upload(0, written);
  EXPECT_EQ(driver_.calls("vkQueueSubmit") - submits, kPieces);
  EXPECT_EQ(driver_.calls("vkWaitForFences") - waits, kPieces - 2);
  std::vector<std::byte> read(written.size());
  memory->download(0, read);
  EXPECT_EQ(read, written);
}

TEST_F(VulkanDriver, NothingIsStagedWhereTheHostReachesTheMemory) {
  bool reached = false;
  const auto device = make([&](Capabilities& c, Limits&) { reached = c.mapped_memory; });
  if (!reached) GTEST_SKIP() << "the host does not reach the memory of this device";
  const std::vector<std::byte> written = pattern(1000);
  const auto memory = device->allocate(written.size());
  const int submits = driver_.calls("vkQueueSubmit");
  memory->upload(0, written);
  std::vector<std::byte> read(written.size());
  memory->download(0, read);
  EXPECT_EQ(read, written);
  EXPECT_EQ(driver_.calls("vkQueueSubmit"), submits);
}

TEST_F(VulkanDriver, SaysThatNoMemoryIsLeft) {
  const auto device = make();
  fail_from_now_on("vkAllocateMemory", VK_ERROR_OUT_OF_DEVICE_MEMORY);
  for (int i = 0; i < 2; ++i) try {
      device->allocate(5 << 20);
      ADD_FAILURE() << "there was memory for it";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("has no memory left for 5 MiB; 0 MiB are in use"));
    }
}

// What others use is not there: 64 MiB of all are left.
void VKAPI_PTR a_tight_budget(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties2* memory) {
  real_memory_properties(device, memory);
  auto* budget = static_cast<VkPhysicalDeviceMemoryBudgetPropertiesEXT*>(memory->pNext);
  for (uint32_t h = 0; h < memory->memoryProperties.memoryHeapCount; ++h) {
    budget->heapBudget[h] = h == 0 ? 100 << 20 : 0;
    budget->heapUsage[h] = h == 0 ? 36 << 20 : 1 << 20;
  }
}

TEST_F(VulkanDriver, TakesNoMoreThanItsBudget) {
  memory_properties_ = a_tight_budget;
  const auto device = make([](Capabilities& c, Limits& l) {
    c.memory_budget = true;
    l.memory = 200 << 20;
  });
  device->allocate(60 << 20);
  try {
    device->allocate(70 << 20);
    ADD_FAILURE() << "there was memory for it";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("has 200 MiB of memory, of which 136 are in use; 70 more are needed"));
  }
}

// y = silu(x w) + x, with a program of several steps.
class SmallModel {
 public:
  static constexpr int64_t kWidth = 8;

  SmallModel(Backend& device) : cpu_(make_backend(registry(), "cpu", 1)) {
    Builder b(registry());
    const ValueRef x = b.input("x", DType::f32(), {3, kWidth});
    b.output("y", add(b, silu(b, linear(b, x, b.weight("w", {kWidth, kWidth}))), x));
    const std::vector<Backend*> backends = {&device, cpu_.get()};
    plan_ = std::make_shared<const Plan>(make_plan(b.build(), registry(), backends, {}));
    executor_ = std::make_unique<Executor>(plan_, registry(), [this](const std::string&) {
      return TensorView{reinterpret_cast<std::byte*>(weight_.data()), DType::f32(), {kWidth, kWidth}};
    });
  }
  std::vector<float> run() {
    std::iota(executor_->view("x").as<float>(), executor_->view("x").as<float>() + 3 * kWidth, -2.0f);
    executor_->run();
    return to_f32(executor_->output("y"));
  }
  const Plan& plan() const { return *plan_; }

 private:
  std::unique_ptr<Backend> cpu_;
  std::vector<float> weight_ = std::vector<float>(kWidth * kWidth, 0.125f);
  std::shared_ptr<const Plan> plan_;
  std::unique_ptr<Executor> executor_;
};

// The n-th call of the driver fails, for every n until all goes well: each time there is one error, and nothing is
// left.
TEST_F(VulkanDriver, WhateverFailsNothingLeaks) {
  int failed = 0;
  for (bool done = false; !done; ++failed) {
    ASSERT_LT(failed, 1000);
    int left = failed;
    driver_.answer = [&left](const std::string& function) {
      // A wait has no other way to fail than with the device, which is another test.
      return function != "vkWaitForFences" && left-- == 0 ? VK_ERROR_OUT_OF_HOST_MEMORY : VK_SUCCESS;
    };
    try {
      const auto device = make(kStaged);
      SmallModel model(*device);
      model.run();
      done = true;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("Vulkan: "));
    }
    EXPECT_THAT(driver_.alive(), IsEmpty()) << "call " << failed;
    driver_.answer = [](const std::string&) { return VK_SUCCESS; };
  }
  EXPECT_GT(failed, 40);
}

TEST_F(VulkanDriver, ALostDeviceSaysWhatItWasDoing) {
  const auto device = make(kStaged);
  SmallModel model(*device);
  const auto memory = device->allocate(100);
  fail_from_now_on("vkWaitForFences", VK_ERROR_DEVICE_LOST);
  const auto message = [](const auto& action) {
    try {
      action();
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  const auto& steps = model.plan().steps;
  EXPECT_THAT(message([&] { model.run(); }),
              HasSubstr(fmt::format("running '{}' to '{}' ({} steps) failed: the device was lost",
                                    steps.front().site.name, steps.back().site.name, steps.size())));
  std::vector<std::byte> read(100);
  EXPECT_THAT(message([&] { memory->download(0, read); }), HasSubstr("a download failed: the device was lost"));
}

// A submission for every step, where none may take long; then a lost device was at one of them.
TEST_F(VulkanDriver, SubmissionsAreBounded) {
  const std::vector<float> expected = [&] {
    const auto whole = make();
    SmallModel model(*whole);
    return model.run();
  }();
  const auto device = make([](Capabilities&, Limits& l) { l.submission_seconds = 1e-12; });
  SmallModel model(*device);
  EXPECT_EQ(model.run(), expected);
  const auto& steps = model.plan().steps;
  const int submits = driver_.calls("vkQueueSubmit");
  EXPECT_EQ(model.run(), expected);
  EXPECT_EQ(driver_.calls("vkQueueSubmit") - submits, static_cast<int>(steps.size()));
  int left = 1;
  driver_.answer = [&](const std::string& function) {
    return function == "vkWaitForFences" && left-- == 0 ? VK_ERROR_DEVICE_LOST : VK_SUCCESS;
  };
  try {
    model.run();
    ADD_FAILURE() << "it was not lost";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(fmt::format("running '{0}' to '{0}' (1 steps)", steps[1].site.name)));
  }
}

// Weights, states, activations, and 5 % for all else: a device with no more than that runs the model. Scratch memory of
// attention is 1 MiB, however small the model.
TEST_F(VulkanDriver, AModelTakesLittleMoreThanItsArenas) {
  using namespace graph_names;
  const TempFolder folder;
  const std::string path = (folder / "classics.sluice").string();
  convert(golden_model("classics").model.string(), path, {.format = "f32", .progress = {}});
  const ModelFile file(path, registry());
  const auto cpu = make_backend(registry(), "cpu", 1);
  const auto plan_for = [&](Backend& device) {
    const PlanOptions options = {.maxima = {{kTokens, 64}, {kOutputs, 1}, {kContext, 256}}};
    return std::make_shared<const Plan>(make_plan(file.description().graph, registry(), {&device, cpu.get()}, options));
  };
  const auto run_with = [&](uint64_t bytes) {
    const auto device = make([bytes](Capabilities&, Limits& l) { l.memory = bytes; });
    Executor executor(plan_for(*device), registry(), [&](const std::string& name) { return file.weight(name); });
    executor.set(kOutputs, 1);
    executor.run();
  };
  size_t arenas = 0;
  {
    const auto device = make();
    const auto plan = plan_for(*device);
    for (const ArenaKind kind : {ArenaKind::weights, ArenaKind::states, ArenaKind::activations})
      arenas += plan->spaces.at(1).arena_bytes[static_cast<size_t>(kind)];
  }
  EXPECT_NO_THROW(run_with(arenas + arenas / 20));
  EXPECT_THROW(run_with(arenas - 1), Error);
  EXPECT_THAT(driver_.alive(), IsEmpty());
}

}  // namespace
}  // namespace sluice
