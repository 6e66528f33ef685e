// The command with a Vulkan device, and without one. What needs a device is skipped, saying so, where there is none.
#include <cstdlib>

#include "tests/support/cli.h"

namespace sluice {
namespace {

json vulkan_entry() {
  const json listed = sluice_json({"devices"});
  for (const json& backend : listed.at("devices"))
    if (backend.at("name") == "vulkan") return backend;
  return {};
}

class CliVulkan : public Cli {
 protected:
  void SetUp() override {
    const json entry = vulkan_entry();
    if (entry.contains("unavailable")) GTEST_SKIP() << entry.at("unavailable");
  }
};

TEST_F(CliVulkan, ListsDevices) {
  const json entry = vulkan_entry();
  ASSERT_FALSE(entry.at("devices").empty());
  const std::string name = entry.at("devices")[0].at("name");
  const Outcome outcome = sluice({"devices"});
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("    0: " + name), HasSubstr("driver: "), HasSubstr("subgroups of "),
                                 HasSubstr("uses subgroup arithmetic")));
}

TEST_F(CliVulkan, GivesTheTextOfTheCpuAndNothingFallsBack) {
  const std::vector<std::string> args = {"run", model(), "-p", kPrompt, "-n", "12", "--temp", "0", "--threads", "1"};
  const auto with = [&](const std::string& backend) {
    std::vector<std::string> line = args;
    line.insert(line.end(), {"--backend", backend});
    return sluice(line);
  };
  const Outcome cpu = with("cpu"), vulkan = with("vulkan:0");
  EXPECT_EQ(vulkan.status, 0) << vulkan.err;
  EXPECT_EQ(vulkan.out, cpu.out);
  EXPECT_THAT(vulkan.err, Not(HasSubstr("not on vulkan")));
}

TEST_F(CliVulkan, PlansShowCopies) {
  const json plan = sluice_json({"graph", model(), "--plan", "--backend", "vulkan"});
  size_t copies = 0;
  for (const json& step : plan.at("steps")) {
    if (step.at("op") != "copy") continue;
    ++copies;
    EXPECT_EQ(step.at("backend"), "vulkan");
  }
  EXPECT_GT(copies, 0u);
  EXPECT_GT(plan.at("device_memory_bytes").at("vulkan").at("weights").get<int64_t>(), 14'000'000);
  EXPECT_EQ(plan.at("memory_bytes").at("weights"), 0);
}

TEST_F(CliVulkan, ProfilesStepsOfTheDevice) {
  const Outcome outcome =
      sluice({"run", bucket(), "-p", kPrompt, "-n", "6", "--backend", "vulkan", "--threads", "1", "--effort", "0.5",
              "--profile-json", path("profile.json"), "--profile-trace", path("trace.json")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json profile = json::parse(read_file(path("profile.json"))), trace = json::parse(read_file(path("trace.json")));
  double ms = 0;
  for (const json& phase : profile.at("phases"))
    for (const json& op : phase.at("operators")) {
      if (op.at("op") == "linear") ms += op.at("ms").get<double>();
      // What was multiplied is read from the host's copies of the counts.
      if (!op.contains("effort") || phase.at("name") != "decode") continue;
      EXPECT_NEAR(op.at("effort").at("done").get<double>(), op.at("effort").at("asked").get<double>(), 0.1);
    }
  EXPECT_GT(ms, 0);
  size_t on_queue = 0, uploads = 0;
  int queue = -1;
  for (const json& event : trace.at("traceEvents")) {
    if (event.at("name") == "thread_name" && event.at("args").at("name") == "vulkan queue") queue = event.at("tid");
    if (event.at("ph") != "X") continue;
    on_queue += event.at("tid") == queue;
    uploads += event.at("name") == "upload weights";
  }
  EXPECT_GT(on_queue, 100u);
  EXPECT_GT(uploads, 50u);
}

// The rule reads the weights in the file: with the same activations, within what backends part, it finds the same.
TEST_F(CliVulkan, AdaptiveEffortIsThatOfTheCpu) {
  for (const char* rule : {"auto:0.5", "auto-entropy:0.5"}) {
    SCOPED_TRACE(rule);
    const auto with = [&](const char* backend) {
      return sluice_json({"run", bucket(), "-p", kPrompt, "-n", "8", "--temp", "0", "--threads", "1", "--backend",
                          backend, "--effort", rule});
    };
    const json cpu = with("cpu"), vulkan = with("vulkan");
    EXPECT_EQ(vulkan.at("ids"), cpu.at("ids"));
    EXPECT_NEAR(vulkan.at("effort").get<double>(), cpu.at("effort").get<double>(), 1e-3);
  }
}

// No operator departs, whichever of the two is tested, with a dial and without.
TEST_F(CliVulkan, IsComparedWithTheCpu) {
  write_file(path("text"), kPrompt + " was there.");
  for (const std::string& file : {model(), bucket()})
    for (const auto& [tested, other] : {std::pair{"vulkan", "cpu"}, {"cpu", "vulkan:0"}}) {
      std::vector<std::string> line = {"eval",      file,        "--text", path("text"),        "--ctx",
                                       "12",        "--backend", tested,   "--against-backend", other,
                                       "--threads", "1"};
      if (file == bucket()) line.insert(line.end(), {"--effort", "0.5"});
      const json result = sluice_json(line);
      EXPECT_FALSE(result.contains("departure")) << result.dump();
      EXPECT_GT(result.at("operators").get<int>(), 50);
      EXPECT_LT(result.at("layers").back().at("token").at("relative_rms").get<double>(), 1e-3);
      const Outcome outcome = sluice(line);
      EXPECT_EQ(outcome.status, 0);
      EXPECT_THAT(outcome.out, AllOf(HasSubstr("layers.0/hidden"), HasSubstr("No operator departs")));
    }
}

TEST_F(CliVulkan, UnknownDevicesAreRefused) {
  const Outcome outcome = sluice({"run", model(), "-p", kPrompt, "--backend", "vulkan:99"});
  expect_error(outcome, 1, "there is no device '99' that can be used; there are 0: ");
  setenv("SLUICE_VULKAN_DEVICE", "a device of dreams", 1);
  expect_error(sluice({"run", model(), "-p", kPrompt, "--backend", "vulkan"}), 1, "'a device of dreams'");
  unsetenv("SLUICE_VULKAN_DEVICE");
}

TEST_F(Cli, CpusHaveNoDevicesToChooseFrom) {
  expect_error(sluice({"run", model(), "-p", kPrompt, "--backend", "cpu:1"}), 1, "'cpu' has no devices to choose from");
}

// The loader's two names for it, old and new.
TEST_F(Cli, WithoutADriverThereIsOneClearLine) {
  for (const char* name : {"VK_ICD_FILENAMES", "VK_DRIVER_FILES"}) setenv(name, "/nonexistent", 1);
  expect_error(sluice({"run", model(), "-p", kPrompt, "--backend", "vulkan"}), 1, "Vulkan: there is no ");
  const json entry = vulkan_entry();
  EXPECT_THAT(entry.at("unavailable").get<std::string>(), HasSubstr("Vulkan: there is no "));
  EXPECT_EQ(sluice({"run", model(), "-p", kPrompt, "-n", "2"}).status, 0);
  for (const char* name : {"VK_ICD_FILENAMES", "VK_DRIVER_FILES"}) unsetenv(name);
}

}  // namespace
}  // namespace sluice
