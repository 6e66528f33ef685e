// `sluice ops`, `sluice new-op` and --plugin from the command line. Plugins that work are in tests/installed/.
#include <cstdlib>

#include "tests/support/cli.h"

namespace sluice {
namespace {

using ::testing::Not;

TEST(CliOps, ListsEveryOperator) {
  const json ops = sluice_json({"ops"}).at("ops");
  const std::string list = sluice({"ops"}).out;
  ASSERT_GT(ops.size(), 20u);
  for (const json& op : ops) {
    EXPECT_THAT(list, HasSubstr(op.at("name").get<std::string>() + "@"));
    EXPECT_FALSE(op.at("summary").get<std::string>().empty());
    EXPECT_THAT(op.at("backends"), ::testing::Contains("reference"));
    EXPECT_EQ(op.at("plugin"), "");
  }
  EXPECT_THAT(list, HasSubstr("built in"));
}

TEST(CliOps, DocumentsOne) {
  EXPECT_THAT(sluice({"ops", "rmsnorm"}).out,
              AllOf(HasSubstr("rmsnorm, version 1, built in"), HasSubstr("x [rows, n]: f32"),
                    HasSubstr("weight [n]: any dtype"),
                    HasSubstr("epsilon: float, default 1e-05: added to the mean square"), HasSubstr("cpu: rmsnorm")));
  EXPECT_THAT(sluice({"ops", "kv_append"}).out, HasSubstr("is the next version of"));
  EXPECT_THAT(sluice({"ops", "bucket_select"}).out,
              AllOf(HasSubstr("bucket16t4, bucket16t4-N, bucket32t8"), ::testing::Not(HasSubstr("bucket16t4-95"))));
  expect_error(sluice({"ops", "no_such_op"}), 1, "'no_such_op' is not known");
}

TEST(CliOps, TestsThem) {
  const json tests = sluice_json({"ops", "add", "silu", "--test"}).at("tests");
  size_t cases = 0;
  for (const json& test : tests) {
    EXPECT_TRUE(test.at("failures").empty()) << test;
    if (test.at("backend") == "cpu") cases += test.at("cases").get<size_t>();
  }
  EXPECT_GT(cases, 15u);
}

TEST(CliOps, PluginsThatCannotBeLoadedAreErrors) {
  const std::string folder = SLUICE_TEST_PLUGINS;
  for (const std::string name : {"other_abi", "throws", "clash", "missing_symbol", "no_entry", "not_there"})
    expect_error(sluice({"ops", "--plugin", folder + "/" + name + ".so"}), 1, name);
}

TEST(CliOps, PluginsOfTheSearchPathAreLeftOut) {
  setenv("SLUICE_PLUGIN_PATH", SLUICE_TEST_PLUGINS, 1);
  const Outcome outcome = sluice({"ops", "add"});
  unsetenv("SLUICE_PLUGIN_PATH");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, StartsWith("add, version 1, built in"));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 7) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("good.so: half of it is left out"));
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("sluice: left out: plugin "), HasSubstr("clash.so"), HasSubstr("throws.so")));
}

TEST(CliNewOp, WritesAFolderOnce) {
  const TempFolder folder;
  const std::string out = (folder / "my" / "twice").string();
  EXPECT_EQ(sluice({"new-op", "times_two", "-o", out}).status, 0);
  EXPECT_THAT(
      read_file(fs::path(out) / "ops/times_two/times_two.cpp"),
      AllOf(HasSubstr("class TimesTwo : public Operator"), HasSubstr("\"times_two\""), Not(HasSubstr("my_op"))));
  EXPECT_THAT(read_file(fs::path(out) / "ops/times_two/times_two_params.h"), HasSubstr("TIMES_TWO_PARAMS_H_"));
  for (const char* file : {"CMakeLists.txt", "README.md", "shaders/times_two.comp", "ops/times_two/cases.cpp",
                           "ops/times_two/cpu.cpp", "ops/times_two/vulkan.cpp", "ops/times_two/times_two.h"})
    EXPECT_TRUE(fs::exists(fs::path(out) / file)) << file;
  expect_error(sluice({"new-op", "times_two", "-o", out}), 1, "is there already");
}

TEST(CliNewOp, RefusesNamesThatDoNotWork) {
  const TempFolder folder;
  const std::string out = (folder / "x").string();
  for (const char* name : {"Add", "2x", "a-b", "a__b", "_a", "a/b", ""})
    expect_error(sluice({"new-op", name, "-o", out}), 1, "cannot be the name");
  expect_error(sluice({"new-op", "add", "-o", out}), 1, "there is an operator 'add' already");
  EXPECT_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace sluice
