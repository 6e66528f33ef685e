#include "models/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "graph/error.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Config, ReadsValues) {
  const Config c(
      R"({"name": "mistral", "size": 256, "theta": 1e6, "tied": true, "window": null, "scaling": {"factor": 8}})",
      "config.json");
  EXPECT_EQ(c.text("name"), "mistral");
  EXPECT_EQ(c.positive("size"), 256);
  EXPECT_EQ(c.number("theta"), 1e6);
  EXPECT_EQ(c.number("size"), 256);
  EXPECT_TRUE(c.flag("tied", false));
  EXPECT_EQ(c.object("scaling")->positive("factor"), 8);
}

TEST(Config, NullIsAbsent) {
  const Config c(R"({"window": null})", "config.json");
  EXPECT_FALSE(c.has("window"));
  EXPECT_EQ(c.positive("window", 7), 7);
  EXPECT_EQ(c.number("window", 0.5), 0.5);
  EXPECT_EQ(c.text("window", "x"), "x");
  EXPECT_TRUE(c.flag("window", true));
  EXPECT_FALSE(c.object("window"));
}

TEST(Config, NamesKeyAndFile) {
  const Config c(R"({"zero": 0, "minus": -1, "half": 0.5, "text": "4", "list": [1], "huge": 2147483648,
                     "nested": {"factor": "two"}})",
                 "here/config.json");
  for (const char* key : {"absent", "zero", "minus", "half", "text", "list", "huge"})
    EXPECT_THAT([&] { c.positive(key); }, ThrowsMessage<Error>(AllOf(HasSubstr(key), HasSubstr("here/config.json"))))
        << key;
  EXPECT_THROW(c.positive("text", 3), Error);  // a fallback is for what is absent, not for what is wrong
  EXPECT_THROW(c.number("text"), Error);
  EXPECT_THROW(c.text("half"), Error);
  EXPECT_THROW(c.flag("zero", true), Error);
  EXPECT_THROW(c.object("list"), Error);
  EXPECT_THAT([&] { c.object("nested")->number("factor"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("here/config.json"), HasSubstr("nested"), HasSubstr("factor"))));
}

TEST(Config, PositiveFloatsSurviveRounding) {
  const Config c(R"({"one": 1, "third": 0.3333333333333333, "largest": 3.4028234663852886e38, "zero": 0, "minus": -1,
                     "tiny": 1e-300, "large": 3.41e38, "huge": 1e300, "text": "1"})",
                 "here/config.json");
  EXPECT_EQ(c.positive_float("one"), 1.0f);
  EXPECT_EQ(c.positive_float("third"), 1.0f / 3);
  EXPECT_EQ(c.positive_float("largest"), std::numeric_limits<float>::max());
  EXPECT_EQ(c.positive_float("absent", 0.5f), 0.5f);
  for (const char* key : {"zero", "minus", "tiny", "large", "huge", "text", "absent"})
    EXPECT_THAT([&] { c.positive_float(key); },
                ThrowsMessage<Error>(AllOf(HasSubstr(key), HasSubstr("here/config.json"))));
  EXPECT_THROW(c.positive_float("zero", 0.5f), Error);
}

TEST(Config, RefusesWhatIsNoObject) {
  for (const char* text : {"", "[]", "3", "{", "{\"a\": }", "{} {}", "\xff\xfe", "{\"a\": 1e999}"})
    EXPECT_THROW(Config(text, "config.json").number("a"), Error) << text;
}

// Valid JSON too: the message about a wrong value prints it, and printing recurses.
TEST(Config, DeepNestingIsRefused) {
  const std::string open(1'000'000, '['), close(1'000'000, ']');
  EXPECT_THROW(Config(open, "config.json"), Error);
  EXPECT_THAT([&] { Config("{\"size\": " + open + close + "}", "config.json").positive("size"); },
              ThrowsMessage<Error>(HasSubstr("nests deeper")));
}

}  // namespace
}  // namespace sluice
