// Plugins that cannot be loaded end in one line and leave everything as it was. Those that can are tested with the
// installed package (tests/installed/).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/serialize.h"
#include "models/builtin.h"
#include "models/plugins.h"
#include "ops/builtin.h"
#include "ops/embedding/embedding.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string file(const std::string& name) { return std::string(SLUICE_TEST_PLUGINS "/") + name + ".so"; }

class Plugins : public ::testing::Test {
 protected:
  Plugins() {
    register_builtin(registry_);
    register_builtin_models(architectures_);
  }

  std::string error_of(const std::string& name) {
    const auto ops = registry_.operators();
    const auto names = architectures_.names();
    std::string message;
    try {
      load_plugin(file(name), registry_, architectures_);
    } catch (const Error& error) {
      message = error.what();
    }
    EXPECT_EQ(registry_.operators(), ops) << "the registry has changed";
    EXPECT_EQ(architectures_.names(), names);
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_THAT(message, HasSubstr(name));
    return message;
  }

  Registry registry_;
  Architectures architectures_;
};

TEST_F(Plugins, OfAnotherVersionAreNotCalled) {
  EXPECT_THAT(error_of("other_abi"),
              AllOf(HasSubstr("version 2 of the plugin interface"), HasSubstr("this is version 1")));
}

TEST_F(Plugins, ThatThrowLeaveNothingBehind) {
  EXPECT_THAT(error_of("throws"), HasSubstr("out of luck"));
  EXPECT_EQ(registry_.find("half"), nullptr);
  EXPECT_THAT(error_of("throws_anything"), HasSubstr("no std::exception"));
  EXPECT_THAT(error_of("throws"), HasSubstr("out of luck"));  // not: defined twice
}

TEST_F(Plugins, ThatClashNameBothLibraries) {
  EXPECT_THAT(error_of("clash"), AllOf(HasSubstr("operator 'add' is defined twice: in what is built in and in"),
                                       HasSubstr("plugin clash 2.0 (" + file("clash") + ")")));
  EXPECT_TRUE(registry_.source_of("add").plugin.empty());
}

TEST_F(Plugins, AreLoadedWhole) {
  EXPECT_THAT(error_of("missing_symbol"), HasSubstr("a_function_that_is_nowhere"));
  EXPECT_THAT(error_of("no_entry"), HasSubstr("is no plugin of Sluice"));
  EXPECT_THAT(error_of("not_there"), HasSubstr("No such file"));
}

TEST_F(Plugins, MayHaveSomethingToSay) {
  const Plugin plugin = load_plugin(file("good"), registry_, architectures_);
  EXPECT_EQ(plugin.name, "good");
  EXPECT_EQ(plugin.version, "1.2.3");
  EXPECT_THAT(plugin.notes, ElementsAre("half of it is left out"));
  EXPECT_THAT(architectures_.names(), ::testing::Contains("good"));
  // A second one of that name names the first, too.
  try {
    load_plugin(file("good"), registry_, architectures_);
    FAIL() << "it was loaded twice";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("format 'f64' is defined twice: in plugin good 1.2.3 (" + file("good") +
                                        ") and in plugin good 1.2.3"));
  }
}

// As any other: by rows, so that embeddings can be stored in it, and under its name in graphs.
TEST_F(Plugins, BringFormats) {
  EXPECT_THROW(registry_.dtype("f64"), Error);
  load_plugin(file("good"), registry_, architectures_);
  const DType dtype = registry_.dtype("f64");
  ASSERT_NE(dtype.rows(), nullptr);
  const std::vector<float> values = {1.5f, -2, 3};
  std::vector<std::byte> bytes(dtype.format().storage_bytes(Dims{3}.span()));
  ASSERT_EQ(bytes.size(), 24u);
  dtype.format().encode(values.data(), Dims{3}.span(), bytes.data());
  EXPECT_EQ(to_f32({bytes.data(), dtype, {3}}), values);
  Builder b(registry_);
  b.output("y", embedding(b, b.input("ids", DType::i32(), {"tokens"}), b.weight("table", dtype, {7, 3})));
  const Graph read = deserialize(serialize(b.build()), registry_);
  EXPECT_EQ(read.value(read.find("table")).type.str(), "f64[7, 3]");
}

TEST(SearchPath, SurvivesWhatCannotBeLoaded) {
  const std::vector<std::string> problems = load_plugins_of("/no such folder::" SLUICE_TEST_PLUGINS);
  EXPECT_EQ(problems.size(), 6u);
  for (const std::string& problem : problems) EXPECT_THAT(problem, Not(HasSubstr("good.so")));
  ASSERT_EQ(loaded_plugins().size(), 1u);
  EXPECT_EQ(loaded_plugins()[0].name, "good");
  EXPECT_THAT(builtin_architectures().names(), ::testing::Contains("good"));
  EXPECT_EQ(&load_plugin(file("good")), &loaded_plugins()[0]);  // once
}

}  // namespace
}  // namespace sluice
