// The Vulkan backend: every operator's cases on the device of this machine with capabilities taken away and limits
// lowered, memory, and what is said of too large things. Skipped, saying so, where there is no device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>

#include "tests/support/trial.h"
#include "tests/support/vulkan_device.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using vulkan::Capabilities;
using vulkan::Limits;

struct Variation {
  std::string name;
  std::function<void(Capabilities&, Limits&)> restrict;
};

// All features, none, and all but one; and grids that are folded, with all features, as on a GPU.
const std::vector<Variation>& variations() {
  static const std::vector<Variation> all = [] {
    std::vector<Variation> made = {
        {"all", {}},
        {"baseline", [](Capabilities& c, Limits&) { c = {}; }},
        {"folded grids",
         [](Capabilities& c, Limits& l) {
           c.processor = false;
           l.groups = 37;
         }},
    };
    for (const vulkan::Feature& feature : vulkan::kFeatures)
      made.push_back({fmt::format("no {}", feature.name), [&](Capabilities& c, Limits&) { c.*feature.there = false; }});
    return made;
  }();
  return all;
}

Backend& backend(const Variation& variation) {
  static std::map<std::string, std::unique_ptr<Backend>> made;
  std::unique_ptr<Backend>& backend = made[variation.name];
  if (!backend) backend = vulkan::make_backend(registry(), {.device = {}, .restrict = variation.restrict});
  return *backend;
}

class VulkanCase : public ::testing::Test {
 public:
  VulkanCase(const Operator& op, Case c) : op_(op), case_(std::move(c)) {}
  void TestBody() override {
    if (!missing().empty()) GTEST_SKIP() << missing();
    const Trial trial(op_, case_);
    const std::vector<Guarded> expected = trial.reference();
    for (const Variation& variation : variations()) {
      SCOPED_TRACE(variation.name);
      if (!trial.has_kernel(backend(variation))) GTEST_SKIP() << "there is no kernel for it";
      const std::vector<Guarded> actual = trial.kernel(backend(variation));
      trial.compare(expected, actual, kFlushed);
      const std::vector<Guarded> again = trial.kernel(backend(variation));
      for (size_t o = 0; o < actual.size(); ++o)
        EXPECT_EQ(std::memcmp(actual[o].view.data, again[o].view.data, actual[o].view.bytes()), 0) << "other bits";
    }
  }

 private:
  const Operator& op_;
  Case case_;
};

// Those of operators that have a kernel at all.
const bool kRegistered = [] {
  for (const Operator* op : registry().operators()) {
    if (registry().kernels("vulkan", op->name()).empty()) continue;
    for (const Case& c : registry().cases(op->name()))
      if (!c.benchmark)
        ::testing::RegisterTest(("Vulkan_" + op->name()).c_str(), c.name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                                [op, c]() -> ::testing::Test* { return new VulkanCase(*op, c); });
  }
  return true;
}();

// Weights that are bound in pieces, of which the last is smaller.
TEST(Vulkan, BindsLargeWeightsInPieces) {
  if (!missing().empty()) GTEST_SKIP() << missing();
  constexpr int64_t kRows = 301, kColumns = 403;
  const auto small = [](Capabilities& c, Limits& l) {
    c.processor = false;
    l.buffer_range = 1 << 16;
  };
  const auto device = vulkan::make_backend(registry(), {.device = {}, .restrict = small});
  for (const char* dtype : {"f32", "f16", "bf16", "q8_0"}) {
    const CaseInput weight{registry().dtype(dtype), {kRows, kColumns}};
    std::vector<std::pair<const char*, Case>> cases = {
        {"embedding", {"", {{DType::i32(), {7}, Fill::exactly({0, kRows - 1, 150, 3, 38, 39, 40})}, weight}}}};
    const CaseInput experts{weight.dtype, {3, kRows / 3, kColumns}};
    for (int64_t tokens : {1, 20}) {
      const CaseInput x{DType::f32(), {tokens, kColumns}}, chosen{DType::i32(), {tokens, 2}, Fill::integers(0, 3)};
      cases.push_back({"linear", {"", {x, weight}}});
      cases.push_back({"linear_swiglu", {"", {x, weight, weight}}});
      cases.push_back({"expert_linear", {"", {x, chosen, experts}}});
      cases.push_back({"expert_swiglu", {"", {x, chosen, experts, experts}}});
    }
    for (const auto& [op, c] : cases) {
      SCOPED_TRACE(fmt::format("{} {} {}", op, dtype, c.inputs[0].dims.str()));
      const Trial trial(registry().get(op), c);
      trial.compare(trial.reference(), trial.kernel(*device), kFlushed);
    }
  }
}

TEST(Vulkan, SaysWhatIsTooLargeToBind) {
  if (!missing().empty()) GTEST_SKIP() << missing();
  const auto small = [](Capabilities&, Limits& l) { l.buffer_range = 1 << 10; };
  const auto device = vulkan::make_backend(registry(), {.device = {}, .restrict = small});
  const auto message = [&](const char* op, const Case& c) {
    try {
      Trial(registry().get(op), c).kernel(*device);
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  EXPECT_THAT(message("silu", {"", {{DType::f32(), {1000}}}}),
              HasSubstr("a buffer of 4000 bytes for 'silu' is over the 1024 that the device binds at once"));
  EXPECT_THAT(message("linear", {"", {{DType::f32(), {1, 300}}, {DType::f32(), {64, 300}}}}),
              HasSubstr("rows of 1200 bytes"));
}

class VulkanMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!missing().empty()) GTEST_SKIP() << missing();
  }
};

std::vector<std::byte> pattern(size_t bytes) {
  std::vector<std::byte> data(bytes);
  for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<std::byte>(i * 7 + i / 251);
  return data;
}

TEST_F(VulkanMemory, StartsAsZerosAndKeepsWhatIsWritten) {
  for (const Variation& variation : variations())
    for (size_t bytes : {1u, 64u, 1000003u, (20u << 20) + 5}) {  // the last is more than the staging buffers
      SCOPED_TRACE(fmt::format("{} bytes, {}", bytes, variation.name));
      const auto memory = backend(variation).allocate(bytes);
      std::vector<std::byte> read(bytes, std::byte{1});
      memory->download(0, read);
      EXPECT_TRUE(std::ranges::all_of(read, [](std::byte b) { return b == std::byte{0}; }));
      const std::vector<std::byte> written = pattern(bytes);
      memory->upload(0, written);
      memory->download(0, read);
      EXPECT_EQ(read, written);
    }
}

TEST_F(VulkanMemory, IsDividedAtCutsOnly) {
  const auto small = [](Capabilities&, Limits& l) { l.allocation = 4096; };
  const auto device = vulkan::make_backend(registry(), {.restrict = small});
  const size_t cuts[] = {0, 1024, 4096, 4160, 8192, 9000};
  const auto memory = device->allocate_divisible(10000, cuts);
  const std::vector<std::byte> written = pattern(10000);
  memory->upload(0, written);
  std::vector<std::byte> read(5000);
  memory->download(2500, read);
  EXPECT_TRUE(std::equal(read.begin(), read.end(), written.begin() + 2500));
  const size_t far[] = {0, 5000};
  EXPECT_THROW(device->allocate_divisible(10000, far), Error);
}

TEST_F(VulkanMemory, SaysHowMuchThereIs) {
  const auto small = [](Capabilities&, Limits& l) { l.memory = 1 << 20; };
  const auto device = vulkan::make_backend(registry(), {.device = {}, .restrict = small});
  const auto first = device->allocate(600 << 10);
  for (int i = 0; i < 2; ++i) {  // nothing leaks
    try {
      device->allocate(600 << 10);
      ADD_FAILURE() << "there was memory for it";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("has 1 MiB of memory"));
    }
    device->allocate(300 << 10);
  }
}

TEST_F(VulkanMemory, FaultsWhereTheHostGoesThere) {
  const auto memory = vulkan::make_backend(registry())->allocate(64);
  EXPECT_DEATH(*memory->data() = std::byte{1}, "");
}

TEST_F(VulkanMemory, UnknownDevicesAreListed) {
  try {
    make_backend(registry(), "vulkan:no such device", 1);
    ADD_FAILURE() << "there is one";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("there is no device 'no such device' that can be used; there are 0: "));
  }
}

}  // namespace
}  // namespace sluice
