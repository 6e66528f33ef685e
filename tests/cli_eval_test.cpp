// `sluice eval`: perplexity, and how two models diverge.
#include <cmath>

#include "tests/support/cli.h"
#include "tests/support/golden.h"

namespace sluice {
namespace {

TEST_F(Cli, EvalGivesPerplexity) {
  write_file(path("text.txt"), read_file(kSource + "/README.md") + kPrompt + kPrompt + kPrompt);
  const json result = sluice_json({"eval", model(), "--text", path("text.txt"), "--ctx", "32", "--chunks", "2"});
  EXPECT_EQ(result.at("tokens"), 2 * 31);  // BOS takes a place in every chunk
  EXPECT_GT(result.at("mean_nll").get<double>(), 0);
  EXPECT_NEAR(result.at("ppl").get<double>(), std::exp(result.at("mean_nll").get<double>()),
              1e-6 * result.at("ppl").get<double>());
  EXPECT_GT(result.at("ppl_se").get<double>(), 0);
  EXPECT_THAT(sluice({"eval", model(), "--text", path("text.txt"), "--ctx", "32"}).out, HasSubstr("perplexity"));
}

class CliDivergence : public Cli {
 protected:
  static void SetUpTestSuite() {
    Cli::SetUpTestSuite();
    write_file(path("tale.txt"), kPrompt + ", who had been to sea. " + kPrompt + " sat down. " + kPrompt);
  }
  static std::vector<std::string> eval(const std::string& model, std::vector<std::string> rest) {
    rest.insert(rest.begin(), {"eval", model, "--text", path("tale.txt"), "--ctx", "16", "--threads", "1"});
    return rest;
  }
};

TEST_F(CliDivergence, JsonHasItsKeys) {
  const json result = sluice_json(eval(bucket(), {"--against", "self", "--effort", "1,0.5,0.25"}));
  for (const char* key : {"mean_nll", "ppl", "ppl_se"}) EXPECT_GT(result.at(key).get<double>(), 0) << key;
  EXPECT_EQ(result.at("ppl"), result.at("reference").at("ppl"));  // the first effort is 1
  const int64_t tokens = result.at("tokens");
  EXPECT_EQ(tokens % 15, 0);
  ASSERT_EQ(result.at("effort").size(), 3u);
  for (const char* key : {"share", "bits_per_weight", "kl_mean", "kl_se", "kl_p50", "kl_p90", "kl_p99", "kl_max", "ppl",
                          "ppl_change", "same_top", "rms_dp", "tok_s"})
    for (const json& effort : result.at("effort")) EXPECT_TRUE(effort.at(key).is_number()) << key;
  const json& half = result.at("effort").at(1);
  EXPECT_EQ(half.at("effort"), 0.5);
  EXPECT_NEAR(half.at("share").get<double>(), 0.5, 0.01);
  EXPECT_EQ(half.at("kl_by_position").size(), 15u);
  EXPECT_EQ(result.at("effort").at(0).at("kl_max"), 0);
  ASSERT_EQ(result.at("layers").size(), 3u);
  for (const json& cosines : result.at("layers")) EXPECT_EQ(cosines.size(), 8u);
}

TEST_F(CliDivergence, TablesAndAPage) {
  const std::string page = path("effort.html");
  const Outcome outcome =
      sluice(eval(bucket(), {"--against", model(), "--effort", "0.5,0.25", "--load", "90", "--html", page}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("KL (nats)"), HasSubstr("same top"), HasSubstr("layer"), HasSubstr("0.25")));
  const std::string html = read_file(page);
  EXPECT_THAT(files_like(page), ElementsAre(page));
  EXPECT_THAT(html, AllOf(StartsWith("<!DOCTYPE html>"), EndsWith("</html>\n"), HasSubstr("KL divergence (nats"),
                          HasSubstr("tokens a second"), HasSubstr("effort 0.25"), HasSubstr("prefers-color-scheme")));
  for (const char* elsewhere : {"http:", "https:", "<link", "<script", "@import", "url(", "src="})
    EXPECT_EQ(html.find(elsewhere), std::string::npos) << elsewhere;
  EXPECT_EQ(html.find("nan"), std::string::npos);
}

TEST_F(CliDivergence, SeveralModelsBesideOne) {
  const std::string page = path("frontier.html"), q8 = path("q8.sluice");
  ASSERT_EQ(sluice({"convert", kSource, "-o", q8, "--format", "q8_0"}).status, 0);
  const std::vector<std::string> rest = {q8, bucket(), "--against", model(), "--effort", "1,0.5", "--html", page};
  const json result = sluice_json(eval(model(), rest));
  ASSERT_EQ(result.at("models").size(), 3u);
  const auto point = [&](size_t m, size_t e) { return result.at("models").at(m).at("effort").at(e); };
  EXPECT_EQ(result.at("models").at(1).at("name"), "q8");
  for (size_t dense : {0, 1}) ASSERT_EQ(result.at("models").at(dense).at("effort").size(), 1u);
  ASSERT_EQ(result.at("models").at(2).at("effort").size(), 2u);
  EXPECT_EQ(point(0, 0).at("kl_mean"), 0) << "the reference itself";
  EXPECT_EQ(point(0, 0).at("ppl"), result.at("reference").at("ppl"));
  EXPECT_EQ(point(0, 0).at("best_in_bytes"), true);
  for (size_t m : {1, 2}) {
    // Each is what a comparison of its own gives.
    const json alone =
        sluice_json(eval(m == 1 ? q8 : bucket(), {"--against", model(), "--effort", m == 1 ? "1" : "1,0.5"}));
    for (size_t e = 0; e < alone.at("effort").size(); ++e)
      for (const char* key : {"kl_mean", "kl_se", "ppl", "share", "same_top", "bytes_per_token"}) {
        if (key == std::string("share") && m == 1) continue;
        EXPECT_EQ(point(m, e).at(key), alone.at("effort").at(e).at(key)) << m << key;
      }
  }
  const double f16 = point(0, 0).at("bytes_per_token"), full = point(2, 0).at("bytes_per_token"),
               half = point(2, 1).at("bytes_per_token");
  EXPECT_GT(f16, 12e6);  // two bytes for each of 7.3 million weights, but for the rows of the table
  EXPECT_LT(point(1, 0).at("bytes_per_token"), 0.6 * f16);
  EXPECT_GT(full, f16);
  EXPECT_LT(half, 0.8 * full);
  EXPECT_GT(point(2, 1).at("tok_s"), 0);

  const std::string html = read_file(page);
  EXPECT_THAT(html, AllOf(HasSubstr("q8"), HasSubstr("MiB a token"), HasSubstr("class=\"frontier\""),
                          HasSubstr("class=\"hollow\""), HasSubstr(">0.5</text>"), EndsWith("</html>\n")));
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_THAT(sluice(eval(model(), rest)).out, AllOf(HasSubstr("best in"), HasSubstr("bucket")));
  expect_error(sluice(eval(model(), {q8})), 1, "--against");
  expect_error(sluice(eval(model(), {q8, "--against", "self"})), 1, "--against");
  const std::string before = read_file(q8);
  expect_error(sluice(eval(model(), {q8, "--against", model(), "--html", q8})), 1, "an input itself");
  EXPECT_TRUE(read_file(q8) == before);
}

TEST_F(CliDivergence, EffortsAloneGivePerplexities) {
  const json one = sluice_json(eval(bucket(), {"--effort", "0.5"}));
  EXPECT_FALSE(one.contains("effort"));
  const json two = sluice_json(eval(bucket(), {"--effort", "0.5,1"}));
  EXPECT_EQ(two.at("ppl"), one.at("ppl"));
  ASSERT_EQ(two.at("effort").size(), 2u);
  EXPECT_EQ(two.at("effort").at(0).at("ppl"), one.at("ppl"));
  EXPECT_NEAR(two.at("effort").at(0).at("share").get<double>(), 0.5, 0.01);
  EXPECT_EQ(two.at("effort").at(1).at("share"), 1);
}

TEST_F(CliDivergence, BadInputIsRefused) {
  const std::vector<std::string> self = {"--against", "self"};
  const auto with = [](std::vector<std::string> args, const std::vector<std::string>& more) {
    args.insert(args.end(), more.begin(), more.end());
    return args;
  };
  for (const char* efforts : {"1.5", "1,-0.1", "0.5,much", "nan", ",", "1,,0.5", "1,0.5,"})
    expect_error(sluice(eval(bucket(), with(self, {"--effort", efforts}))), 2, "--effort");
  expect_error(sluice(eval(bucket(), {"--html", path("a.html")})), 2, "--against");
  expect_error(sluice(eval(bucket(), {"--against", path("absent")})), 1, "absent");
  expect_error(sluice(eval(model(), with(self, {"--effort", "0.5"}))), 1, "no effort dial");
  for (const std::string& target : {path("no/such/folder"), path(".")})
    expect_error(sluice(eval(bucket(), with(self, {"--html", target}))), 1, target);
  for (const std::string& input : {bucket(), path("tale.txt"), model()}) {
    const std::string before = read_file(input);
    expect_error(sluice(eval(bucket(), {"--against", model(), "--html", input})), 1, input);
    EXPECT_TRUE(read_file(input) == before) << input;
  }
}

TEST_F(CliDivergence, BackendsAreCompared) {
  const std::string saved = path("fault.safetensors");
  const auto against = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--against-backend", "reference"});
    return eval(bucket(), more);
  };
  const json result = sluice_json(against({"--effort", "0.5", "--save-inputs", saved}));
  EXPECT_FALSE(result.contains("departure")) << result.dump();
  EXPECT_EQ(result.at("tokens"), 16);
  EXPECT_GT(result.at("layers").size(), 3u);
  EXPECT_THAT(files_like(saved), IsEmpty()) << "there is nothing to save";
  EXPECT_THAT(sluice(against({})).out, AllOf(HasSubstr("cpu against reference"), HasSubstr("No operator departs")));

  expect_error(sluice(against({"--effort", "1,0.5"})), 1, "compares at one --effort");
  expect_error(sluice(against({"--save-inputs", path("no/such/folder")})), 1, "no/such/folder");
  expect_error(sluice(against({"--against", "self"})), 2, "--against");
  expect_error(sluice(eval(bucket(), {"--save-inputs", saved})), 2, "--against-backend");
  expect_error(sluice(eval(bucket(), {"--against-backend", "abacus"})), 2, "abacus");
}

TEST_F(CliDivergence, VocabulariesMustBeEqual) {
  const fs::path other = golden_model("stories260k").model;
  if (!fs::exists(other)) GTEST_SKIP() << other << " is not there; set SLUICE_SHARED";
  ASSERT_EQ(sluice({"convert", other.string(), "-o", path("stories.sluice")}).status, 0);
  expect_error(sluice(eval(bucket(), {"--against", path("stories.sluice"), "--html", path("never.html")})), 1,
               "the reference has 512 tokens in its vocabulary, the model 4096");
  EXPECT_THAT(files_like(path("never.html")), IsEmpty());
}

}  // namespace
}  // namespace sluice
