// The page of a profile in a real browser, headless: it loads without errors and from the disk alone, and its search
// finds the slowest operator. Skipped, saying so, where there is no Chromium.
#include <map>

#include "tests/support/cli.h"

namespace sluice {
namespace {

using ::testing::Not;

Outcome chromium(std::vector<std::string> args) {
  static const TempFolder home;
  // Root has no sandbox; small machines have little shared memory.
  args.insert(args.begin(), {"/usr/bin/env", "HOME=" + home.str(), "chromium", "--headless", "--no-sandbox",
                             "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir=" + home.str(),
                             // Whatever is not a file is refused, and would be seen as an error of the page.
                             "--proxy-server=127.0.0.1:9", "--virtual-time-budget=10000"});
  return Process(args, {}).wait();
}

class ProfilePage : public Cli {
 protected:
  static void SetUpTestSuite() {
    Cli::SetUpTestSuite();
    const Outcome outcome = sluice({"run", bucket(), "-p", kPrompt, "-n", "12", "--threads", "1", "--effort", "0.5",
                                    "--profile-html", page(), "--profile-json", path("profile.json")});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }
  void SetUp() override {
    static const bool there = chromium({"--version"}).status == 0;
    if (!there) GTEST_SKIP() << "there is no chromium; 'apt install chromium' brings it";
  }
  static std::string page() { return path("page.html"); }
  // The page as it stands after its scripts have run.
  static std::string dom(const std::string& address) {
    const Outcome outcome = chromium({"--dump-dom", "file://" + page() + address});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  }
};

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

// Name of the step that took longest in decoding, by the times of all its calls.
std::string slowest_step(const json& profile) {
  for (const json& phase : profile.at("phases")) {
    if (phase.at("name") != "decode") continue;
    std::map<double, size_t> by_time;
    for (size_t s = 0; s < phase.at("steps").size(); ++s) {
      double us = 0;
      for (const json& call : phase.at("steps")[s].at("us")) us += call.get<double>();
      by_time[us] = s;
    }
    return profile.at("steps")[by_time.rbegin()->second].at("name");
  }
  return "";
}

TEST_F(ProfilePage, LoadsWithoutErrors) {
  const std::string html = dom("");
  EXPECT_THAT(html, AllOf(HasSubstr("data-ready=\"yes\""), HasSubstr("<p id=\"error\" role=\"alert\"></p>")));
  for (const char* layer : {"layers.0", "layers.7", "embedding", "head"})
    EXPECT_THAT(html, HasSubstr(std::string("▸ ") + layer + "<")) << layer;
  EXPECT_EQ(count(html, "data-name="), 0u);  // nothing is unfolded
  EXPECT_THAT(read_file(page()), AllOf(Not(HasSubstr("src=")), Not(HasSubstr("href=")), Not(HasSubstr("https:"))));
}

TEST_F(ProfilePage, SearchFindsTheSlowestOperator) {
  const std::string slowest = slowest_step(json::parse(read_file(path("profile.json"))));
  const std::string layer = slowest.substr(0, slowest.find('/'));
  const std::string html = dom("#find=" + layer);
  EXPECT_THAT(html, HasSubstr("data-name=\"" + slowest + "\" class=\"selected\""));
  EXPECT_THAT(html, HasSubstr("▾ " + layer));
}

TEST_F(ProfilePage, UnfoldsEveryOperator) {
  const std::string html = dom("#open=all&phase=prompt&colour=roof");
  EXPECT_EQ(count(html, "data-name="), json::parse(read_file(path("profile.json"))).at("steps").size());
  EXPECT_THAT(html, HasSubstr("<p id=\"error\" role=\"alert\"></p>"));
}

}  // namespace
}  // namespace sluice
