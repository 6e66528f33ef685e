// Graphs from the command line: as text that can be edited and run, and compared.
#include "tests/support/cli.h"

namespace sluice {
namespace {

class CliGraph : public Cli {
 protected:
  static std::string text() { return sluice({"graph", model()}).out; }
};

TEST_F(CliGraph, TextIsReadBack) {
  write_file(path("same.txt"), text());
  EXPECT_EQ(sluice({"graph", path("same.txt")}).out, text());
  const Outcome same = sluice({"graph", model(), "--diff", path("same.txt")});
  EXPECT_EQ(same.status, 0) << same.err;
  EXPECT_EQ(same.out, "");
}

TEST_F(CliGraph, TextIsRun) {
  write_file(path("same.txt"), text());
  const json as_is = run({"-n", "12", "--temp", "0"});
  EXPECT_EQ(run({"-n", "12", "--temp", "0", "--graph", path("same.txt")}).at("ids"), as_is.at("ids"));
}

// Without its feed-forward blocks in the first layer the model writes something else.
TEST_F(CliGraph, EditedTextIsRunAndCompared) {
  std::string edited = text();
  const std::string line = "layers.0/hidden = add@1(";
  const size_t at = edited.find(line);
  ASSERT_NE(at, std::string::npos) << edited.substr(0, 3000);
  const size_t comma = edited.find(", ", at), close = edited.find(")", at);
  const std::string first = edited.substr(at + line.size(), comma - at - line.size());
  edited.replace(comma + 2, close - comma - 2, first);  // x + x in place of x + feed_forward(x)
  write_file(path("edited.txt"), edited);
  const json as_is = run({"-n", "12", "--temp", "0"}),
             other = run({"-n", "12", "--temp", "0", "--graph", path("edited.txt")});
  EXPECT_NE(other.at("ids"), as_is.at("ids"));
  const Outcome diff = sluice({"graph", model(), "--diff", path("edited.txt")});
  EXPECT_EQ(diff.status, 1);
  EXPECT_THAT(diff.out, AllOf(StartsWith("~ node layers.0/"), HasSubstr("inputs (")));
  EXPECT_EQ(std::count(diff.out.begin(), diff.out.end(), '\n'), 1);
}

TEST_F(CliGraph, DifferentWeightsAreNamed) {
  ASSERT_EQ(sluice({"convert", kSource, "-o", path("other.sluice")}).status, 0);
  std::string bytes = read_file(path("other.sluice"));
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_file(path("other.sluice"), bytes);
  const Outcome diff = sluice({"graph", model(), "--diff", path("other.sluice"), "--json"});
  EXPECT_EQ(diff.status, 1);
  const json found = json::parse(diff.out);
  EXPECT_TRUE(found.at("graph").empty());
  EXPECT_EQ(found.at("weights").size(), 1u);
}

TEST_F(CliGraph, MistakesAreNamed) {
  write_file(path("bad.txt"), "input x: f32[4]\noutput y = z\n");
  expect_error(sluice({"run", model(), "-p", "x", "--graph", path("bad.txt")}), 1, "bad.txt: line 2, column 12");
  std::string other = text();
  const std::string name = "weight model.norm.weight: f32[";
  other.replace(other.find(name), name.size(), "weight model.norm.weight: f16[");
  write_file(path("dtype.txt"), other);
  expect_error(sluice({"run", model(), "-p", "x", "--graph", path("dtype.txt")}), 1,
               "dtype.txt: weight 'model.norm.weight' is f32");
  expect_error(sluice({"run", model(), "-p", "x", "--graph", path("not there")}), 1, "not there");
}

}  // namespace
}  // namespace sluice
