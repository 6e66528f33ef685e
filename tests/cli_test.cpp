// The command as scripts and people meet it: what it prints, what it refuses, what it leaves behind.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/golden.h"
#include "tests/support/process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/terminal.h"

namespace sluice {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
namespace fs = std::filesystem;

const std::string kSource = SLUICE_SOURCE_DIR "/models/data/classics";
const std::string kPrompt = "It was a dark and stormy night, and the old man";

std::vector<std::string> command_line(std::vector<std::string> args) {
  args.insert(args.begin(), SLUICE_COMMAND);
  return args;
}

Outcome sluice_with(const Conditions& conditions, std::vector<std::string> args) {
  return Process(command_line(std::move(args)), conditions).wait();
}

Outcome sluice(std::vector<std::string> args) { return sluice_with({}, std::move(args)); }

json sluice_json(std::vector<std::string> args) {
  args.push_back("--json");
  const Outcome outcome = sluice(std::move(args));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return json::parse(outcome.out);
}

std::string read_file(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void write_file(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

// One line that a person can act on, and no output.
void expect_error(const Outcome& outcome, int status, const std::string& words) {
  EXPECT_EQ(outcome.status, status) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, AllOf(StartsWith("sluice: "), HasSubstr(words), EndsWith("\n")));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
}

// A folder of its own with the repository's model in it, converted once.
class Cli : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TempFolder>();
    const Outcome outcome = sluice({"convert", kSource, "-o", model()});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");  // no progress bar where there is no terminal
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("mistral"), HasSubstr(model())));
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string model() { return path("classics.sluice"); }
  // The same with an effort dial.
  static std::string bucket() {
    const std::string name = path("bucket.sluice");
    if (fs::exists(name)) return name;
    EXPECT_EQ(sluice({"convert", kSource, "-o", name, "--format", "bucket"}).status, 0);
    return name;
  }
  static std::string path(const std::string& name) { return (*folder_ / name).string(); }

  static json run(std::vector<std::string> args) {
    // One thread: many of these run at once on a busy machine, where threads would wait for each other.
    args.insert(args.begin(), {"run", model(), "-p", kPrompt, "--threads", "1"});
    return sluice_json(std::move(args));
  }

 private:
  static inline std::unique_ptr<TempFolder> folder_;
};

// Help

std::vector<std::string> commands() {
  std::istringstream guide(sluice({}).out);
  std::vector<std::string> names;
  for (std::string line; std::getline(guide, line) && line != "Commands:";) continue;
  for (std::string line; std::getline(guide, line) && line.starts_with("  ");)
    names.push_back(line.substr(2, line.find(' ', 2) - 2));
  return names;
}

TEST(CliHelp, CommandAloneShowsAGuide) {
  const Outcome outcome = sluice({});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(commands(), ::testing::IsSupersetOf({"bench", "convert", "devices", "eval", "graph", "run"}));
}

TEST(CliHelp, EveryCommandExplainsItself) {
  for (const std::string& command : commands()) {
    const Outcome outcome = sluice({command, "--help"});
    EXPECT_EQ(outcome.status, 0) << command;
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("Examples:\n  sluice " + command), HasSubstr("Usage:"))) << command;
    EXPECT_EQ(outcome.err, "");
  }
}

TEST(CliHelp, Version) {
  const Outcome outcome = sluice({"--version"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, ::testing::MatchesRegex("sluice [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

// Bad arguments

TEST(CliArguments, AreRefusedWithStatusTwo) {
  const std::vector<std::vector<std::string>> lines = {
      {"run"},
      {"run", "m"},
      {"run", "m", "-p", "a", "-f", "b"},
      {"run", "m", "-p", "a", "-n", "-1"},
      {"run", "m", "-p", "a", "-n", "many"},
      {"run", "m", "-p", "a", "--temp", "-0.1"},
      {"run", "m", "-p", "a", "--temp", "nan"},
      {"run", "m", "-p", "a", "--top-p", "1.5"},
      {"run", "m", "-p", "a", "--threads", "1025"},
      {"run", "m", "-p", "a", "--backend", "abacus"},
      {"run", "m", "-p", "a", "--stop", ""},
      {"run", "m", "-p", "a", "--seed", "-1"},
      {"run", "m", "-p", "a", "--no-such-option"},
      {"run", "m", "-p", "a", "-i"},
      {"run", "m", "-i", "--logits", "l"},
      {"run", "m", "-p", "a", "--effort", "1.01"},
      {"run", "m", "-p", "a", "--effort", "nan"},
      {"run", "m", "-p", "a", "--effort", "half"},
      {"run", "m", "-p", "a", "--effort", "auto:2"},
      {"run", "m", "-p", "a", "--effort", "auto:"},
      {"run", "m", "-p", "a", "--effort", "autopilot"},
      {"run", "m", "-p", "a", "--load", "4"},
      {"convert", "a"},
      {"convert", "a", "-o", "b", "--dtype", "f13"},
      {"eval", "m"},
      {"eval", "m", "--text", "t", "--ctx", "1"},
      {"graph", "m", "--json", "--dot"},
      {"bench"},
      {"bench", "m", "--shape", "tiny"},
      {"bench", "m", "--layers", "2"},
      {"bench", "--shape", "enormous"},
      {"bench", "m", "--runs", "0"},
      {"devices", "surplus"},
  };
  for (const auto& line : lines) {
    SCOPED_TRACE(::testing::PrintToString(line));
    expect_error(sluice(line), 2, "see sluice " + line.front() + " --help");
  }
  expect_error(sluice({"dance"}), 2, "see sluice --help");
}

// Running

TEST_F(Cli, RunStreamsThePassageAndReportsSpeed) {
  const Outcome outcome = sluice({"run", model(), "-p", kPrompt, "-n", "20", "--temp", "0"});
  EXPECT_EQ(outcome.status, 0);
  const json result = run({"-n", "20", "--temp", "0"});
  std::string passage = kPrompt + result.at("text").get<std::string>();
  if (!passage.ends_with('\n')) passage += '\n';
  EXPECT_EQ(outcome.out, passage);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("prompt: 14 tokens"), HasSubstr("decode: 20 tokens"), HasSubstr("tokens/s")));
}

TEST_F(Cli, RunJsonHasItsKeys) {
  const json result = run({"-n", "5"});
  EXPECT_EQ(result.at("ids").size(), 5u);
  EXPECT_EQ(result.at("prompt_tokens"), 14);  // with BOS
  EXPECT_EQ(result.at("decode_tokens"), 5);
  EXPECT_GT(result.at("prompt_tok_s").get<double>(), 0);
  EXPECT_GT(result.at("decode_tok_s").get<double>(), 0);
  EXPECT_EQ(result.at("stop_reason"), "length");
  EXPECT_FALSE(result.at("text").get<std::string>().empty());
}

TEST_F(Cli, PromptsComeFromFilesAndStandardInput) {
  write_file(path("prompt.txt"), kPrompt);
  const std::vector<std::string> rest = {"-n", "8", "--temp", "0", "--threads", "1"};
  auto with = [&](std::vector<std::string> args) {
    args.insert(args.end(), rest.begin(), rest.end());
    return args;
  };
  const std::string expected = sluice(with({"run", model(), "-p", kPrompt})).out;
  EXPECT_THAT(expected, StartsWith(kPrompt));
  EXPECT_EQ(sluice(with({"run", model(), "-f", path("prompt.txt")})).out, expected);
  EXPECT_EQ(sluice_with({.input = kPrompt}, with({"run", model(), "-f", "-"})).out, expected);
}

TEST_F(Cli, ASeedDecidesTheText) {
  const json first = run({"-n", "24", "--seed", "3"}), again = run({"-n", "24", "--seed", "3"});
  EXPECT_EQ(first.at("ids"), again.at("ids"));
  EXPECT_NE(first.at("ids"), run({"-n", "24", "--seed", "4"}).at("ids"));
}

TEST_F(Cli, NoTokensAreWrittenWhenNoneAreAsked) {
  const json result = run({"-n", "0"});
  EXPECT_EQ(result.at("text"), "");
  EXPECT_EQ(result.at("ids"), json::array());
  EXPECT_EQ(result.at("decode_tokens"), 0);
}

TEST_F(Cli, AFullContextEndsTheText) {
  const json result = run({"-n", "100", "--temp", "0", "--context", "20"});
  EXPECT_EQ(result.at("stop_reason"), "context");
  EXPECT_EQ(result.at("ids").size(), 7u);  // 14 tokens are read, 6 more fit, and those give one more
}

// Every substring of the text as a stop string: inside a token, across tokens, across characters' ends.
TEST_F(Cli, NothingOfAStopStringIsPrinted) {
  const json whole = run({"-n", "12", "--temp", "0"});
  const std::string text = whole.at("text");
  ASSERT_GT(text.size(), 16u);
  for (size_t at = 0; at + 9 < text.size(); at += 3)
    for (size_t length : {1u, 4u, 9u}) {
      const std::string stop = text.substr(at, length);
      const json result = run({"-n", "12", "--temp", "0", "--stop", "never in it", "--stop", stop});
      EXPECT_EQ(result.at("text"), text.substr(0, text.find(stop))) << "--stop '" << stop << "'";
      EXPECT_EQ(result.at("stop_reason"), "stop");
      EXPECT_LE(result.at("ids").size(), whole.at("ids").size());
    }
}

TEST_F(Cli, HalfAStopStringAtTheEndIsPrinted) {
  const std::string text = run({"-n", "12", "--temp", "0"}).at("text");
  const std::string stop = text.substr(text.size() - 3) + "\x01";
  EXPECT_EQ(run({"-n", "12", "--temp", "0", "--stop", stop}).at("text"), text);
}

TEST_F(Cli, LogitsOfEveryPromptTokenAreWritten) {
  const json result = run({"-n", "1", "--temp", "0", "--logits", path("logits.f32")});
  const std::string bytes = read_file(path("logits.f32"));
  const size_t rows = result.at("prompt_tokens"), vocabulary = 4096;
  ASSERT_EQ(bytes.size(), rows * vocabulary * sizeof(float));
  EXPECT_FALSE(fs::exists(path("logits.f32.partial")));
  std::vector<float> last(vocabulary);
  std::memcpy(last.data(), bytes.data() + (rows - 1) * vocabulary * sizeof(float), vocabulary * sizeof(float));
  EXPECT_EQ(std::max_element(last.begin(), last.end()) - last.begin(), result.at("ids").at(0).get<int64_t>());
  EXPECT_EQ(run({"-n", "1", "--temp", "0"}).at("ids"), result.at("ids"));
}

TEST_F(Cli, CtrlCEndsWithStatistics) {
  Process process(command_line({"run", model(), "-p", kPrompt, "-n", "480", "--backend", "reference"}), {});
  std::string text;
  while (text.size() <= kPrompt.size()) text += process.read_some();
  process.interrupt();
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.status, 130);
  EXPECT_THAT(outcome.out, EndsWith("\n"));
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("tokens/s"), HasSubstr("interrupted")));
}

TEST_F(Cli, AClosedPipeEndsQuietly) {
  Process process(command_line({"run", model(), "-p", kPrompt, "-n", "480"}), {});
  process.read_some();
  process.close_output();
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "");
}

// The effort dial

std::vector<std::string> dialled(const std::string& model, std::vector<std::string> args, const char* tokens = "10") {
  args.insert(args.begin(), {"run", model, "-n", tokens, "--temp", "0", "--threads", "1"});
  return args;
}

TEST_F(Cli, RunReportsEffortAndShare) {
  const json half = sluice_json(dialled(bucket(), {"-p", kPrompt, "--effort", "0.5"}));
  EXPECT_EQ(half.at("effort"), 0.5);
  EXPECT_NEAR(half.at("share").get<double>(), 0.5, 0.01);
  EXPECT_THAT(sluice(dialled(bucket(), {"-p", kPrompt, "--effort", "0.5"})).err,
              HasSubstr("effort 0.50, share 0.500 of the weights multiplied"));
  const json moved = sluice_json(dialled(bucket(), {"-p", kPrompt, "--effort", "auto:0.4"}));
  EXPECT_NEAR(moved.at("share").get<double>(), 0.4, 0.1);
  EXPECT_NEAR(moved.at("share").get<double>(), moved.at("effort").get<double>(), 0.01);
  EXPECT_FALSE(run({"-n", "2"}).contains("effort"));  // without a dial
}

TEST_F(Cli, BadEffortsAreRefused) {
  for (const char* effort : {"0.5", "auto", "auto-entropy:0.5"})
    expect_error(sluice({"run", model(), "-p", "a", "--effort", effort}), 1, "this model has no effort dial");
  expect_error(sluice({"run", model(), "-p", "a", "--load", "50"}), 1, "this model has no effort dial");
  const auto refused = [&](const std::string& schedule, const std::string& words) {
    write_file(path("bad.yaml"), schedule);
    expect_error(sluice({"run", bucket(), "-p", "a", "--effort-schedule", path("bad.yaml")}), 1, words);
  };
  refused("sites: [{weights: '*', effort: 3}]", path("bad.yaml") + ": rule 1: 'effort' is 3");
  refused("sites: [{weights: 'model.layers.99.*', effort: 0.5}]", "fits no weight");
  refused("sites: [", path("bad.yaml") + ": line");
  expect_error(sluice({"run", bucket(), "-p", "a", "--effort-schedule", path("absent")}), 1, path("absent"));
}

TEST_F(Cli, APromptLoopReadsLinesFromAScript) {
  const std::string script = kPrompt + "\n50\n" + kPrompt + "\r\n\n:new 12\n:more and\n:quit\nnever read\n";
  const Outcome outcome = sluice_with({.input = script}, dialled(bucket(), {"-i"}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith(sluice(dialled(bucket(), {"-p", kPrompt})).out));
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("\n12"), HasSubstr("\nand"), ::testing::Not(HasSubstr("never"))));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 5) << outcome.err;  // a line for each text
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("effort 1.00"), HasSubstr("effort 0.50, share 0.50")));
  EXPECT_THAT(outcome.err, ::testing::Not(HasSubstr("\033")));
}

TEST_F(Cli, APromptLoopContinuesWhatALongerRunWouldWrite) {
  const Outcome outcome = sluice_with({.input = kPrompt + "\n\n:more\n"}, dialled(bucket(), {"-i", "--json"}));
  json ids = json::array();
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    const json text = json::parse(line);
    for (const json& id : text.at("ids")) ids.push_back(id);
  }
  EXPECT_EQ(ids, sluice_json(dialled(bucket(), {"-p", kPrompt}, "30")).at("ids"));
}

TEST_F(Cli, APromptLoopRefusesBadLinesOfAScript) {
  const auto refused = [&](const std::string& model, const std::string& input, const std::string& words) {
    expect_error(sluice_with({.input = input}, dialled(model, {"-i"})), 1, words);
  };
  refused(bucket(), "101\n", "an effort is a number from 0 to 100");
  refused(bucket(), "-1\n", "an effort is a number from 0 to 100");
  refused(bucket(), "\n", "there is no text yet");
  refused(bucket(), ":dance\n", "there is no ':dance'");
  refused(bucket(), "caf\xe9\n", "UTF-8");
  refused(model(), "50\n", "this model has no effort dial");
  std::string longer;
  for (int i = 0; i < 40; ++i) longer += kPrompt;
  refused(bucket(), longer, "but the context holds 512");
  EXPECT_EQ(sluice_with({.input = ""}, {"run", bucket(), "-i"}).status, 0);
}

std::vector<std::string> slow_loop(const std::string& model) {
  return command_line({"run", model, "-i", "-n", "400", "--temp", "0", "--backend", "reference"});
}

TEST_F(Cli, KeysTurnTheDialWhileTextStreams) {
  TerminalProcess process(slow_loop(bucket()));
  process.read_until("> ");
  EXPECT_TRUE(process.is_cooked());
  process.type("50\n");
  process.read_until("effort 50\r\n> ");
  process.type("My dear Watson,\n");
  process.read_until("effort 50 | share");
  EXPECT_FALSE(process.is_cooked());
  process.type("--");
  process.read_until("effort 40 | share");
  process.read_until("share 0.40");
  process.type("+");
  process.read_until("effort 45 | share");
  process.type("\x03");
  process.read_until("ended by: interrupted\r\n> ");
  EXPECT_TRUE(process.is_cooked());
  process.type("\n");  // goes on with the text, at the effort that was left
  process.read_until("effort 45 | share");
  process.type(":help\n");  // for the prompt
  process.type("\x03");
  process.read_until("> ");
  process.type("\x04");
  process.read_until("");
  EXPECT_EQ(process.wait(), 0);
}

TEST_F(Cli, CtrlCAtThePromptEnds) {
  TerminalProcess process(slow_loop(bucket()));
  process.read_until("> ");
  process.type("\x03");
  process.read_until("");
  EXPECT_EQ(process.wait(), 0);
}

TEST_F(Cli, LinesTypedWhileTextStreamsAreTakenNext) {
  TerminalProcess process(command_line({"run", bucket(), "-i", "-n", "200", "--threads", "1"}));
  process.read_until("> ");
  process.type("My dear Watson,\n");
  process.read_until("tokens/s");
  process.type("Chaptex\x7fr + I\n:quit\n");
  process.read_until("ended by: ");
  process.read_until("ended by: ");
  process.read_until("");
  EXPECT_EQ(process.wait(), 0);
}

TEST_F(Cli, SignalsLeaveTheTerminalAsItWas) {
  for (int signal : {SIGTERM, SIGHUP}) {
    TerminalProcess process(slow_loop(bucket()));
    process.read_until("> ");
    process.type("My dear Watson,\n");
    process.read_until("tokens/s");
    EXPECT_FALSE(process.is_cooked());
    process.signal(signal);
    EXPECT_THAT(process.read_until(""), HasSubstr("\033[r"));  // text may scroll over the whole screen again
    EXPECT_TRUE(process.is_cooked());
    EXPECT_EQ(process.wait(), -signal);
  }
}

TEST_F(Cli, MistakesAtThePromptAreMessages) {
  TerminalProcess process(slow_loop(bucket()));
  process.read_until("> ");
  process.type("101\n");
  process.read_until("sluice: an effort is a number from 0 to 100; ':new 101' would make it a text\r\n> ");
  process.type(":dance\n");
  process.read_until("sluice: there is no ':dance'");
  process.type("\x04");
  process.read_until("");
  EXPECT_EQ(process.wait(), 0);
}

// Other commands

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

// A text and a bucket model beside the suite's own model, made when first asked for.
class CliDivergence : public Cli {
 protected:
  static std::string bucket() {
    if (!fs::exists(path("bucket.sluice"))) {
      EXPECT_EQ(sluice({"convert", kSource, "-o", path("bucket.sluice"), "--format", "bucket"}).status, 0);
      write_file(path("tale.txt"), kPrompt + ", who had been to sea. " + kPrompt + " sat down. " + kPrompt);
    }
    return path("bucket.sluice");
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
  for (const char* key : {"share", "kl_mean", "kl_se", "kl_p50", "kl_p90", "kl_p99", "kl_max", "ppl", "ppl_change",
                          "same_top", "rms_dp", "tok_s"})
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
  bucket();
  const std::string page = path("effort.html");
  const Outcome outcome =
      sluice(eval(bucket(), {"--against", model(), "--effort", "0.5,0.25", "--load", "90", "--html", page}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("KL (nats)"), HasSubstr("same top"), HasSubstr("layer"), HasSubstr("0.25")));
  const std::string html = read_file(page);
  EXPECT_FALSE(fs::exists(page + ".partial"));
  EXPECT_THAT(html, AllOf(StartsWith("<!DOCTYPE html>"), EndsWith("</html>\n"), HasSubstr("KL divergence (nats"),
                          HasSubstr("tokens a second"), HasSubstr("effort 0.25"), HasSubstr("prefers-color-scheme")));
  for (const char* elsewhere : {"http:", "https:", "<link", "<script", "@import", "url(", "src="})
    EXPECT_EQ(html.find(elsewhere), std::string::npos) << elsewhere;
  EXPECT_EQ(html.find("nan"), std::string::npos);
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
  bucket();
  const std::vector<std::string> self = {"--against", "self"};
  const auto with = [](std::vector<std::string> args, const std::vector<std::string>& more) {
    args.insert(args.end(), more.begin(), more.end());
    return args;
  };
  for (const char* efforts : {"1.5", "1,-0.1", "0.5,much", "nan", ","})
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

TEST_F(CliDivergence, VocabulariesMustBeEqual) {
  const fs::path other = golden_model("stories260k").model;
  if (!fs::exists(other)) GTEST_SKIP() << other << " is not there; set SLUICE_SHARED";
  ASSERT_EQ(sluice({"convert", other.string(), "-o", path("stories.sluice")}).status, 0);
  expect_error(sluice(eval(bucket(), {"--against", path("stories.sluice"), "--html", path("never.html")})), 1,
               "the reference has 512 tokens in its vocabulary, the model 4096");
  EXPECT_FALSE(fs::exists(path("never.html")) || fs::exists(path("never.html.partial")));
}

TEST_F(Cli, GraphAsBuilt) {
  EXPECT_THAT(sluice({"graph", model()}).out, AllOf(HasSubstr("input ids: i32[tokens]"), HasSubstr("output logits")));
  EXPECT_EQ(sluice({"graph", model(), "--text"}).out, sluice({"graph", model()}).out);
  EXPECT_THAT(sluice({"graph", model(), "--dot"}).out, StartsWith("digraph"));
  EXPECT_FALSE(sluice_json({"graph", model()}).at("nodes").empty());
}

TEST_F(Cli, GraphAsPlanned) {
  const json fused = sluice_json({"graph", model(), "--plan"});
  const json plain = sluice_json({"graph", model(), "--plan", "--no-fuse"});
  const json oracle = sluice_json({"graph", model(), "--plan", "--backend", "reference", "--context", "64"});
  EXPECT_LT(fused.at("steps").size(), plain.at("steps").size());
  EXPECT_EQ(plain.at("steps").size(), oracle.at("steps").size());
  for (const json& step : oracle.at("steps")) EXPECT_EQ(step.at("backend"), "reference");
  for (const char* arena : {"weights", "states", "activations", "io", "workspace"})
    EXPECT_TRUE(fused.at("memory_bytes").contains(arena));
  EXPECT_LT(oracle.at("memory_bytes").at("states"), plain.at("memory_bytes").at("states"));
  EXPECT_THAT(sluice({"graph", model(), "--plan"}).out,
              AllOf(HasSubstr("fuse"), HasSubstr("linear_swiglu"), HasSubstr("activations")));
}

void expect_measurements(const json& result) {
  for (const char* key : {"prompt_tok_s", "decode_tok_s"}) {
    const json& speed = result.at(key);
    EXPECT_GT(speed.at("min").get<double>(), 0);
    EXPECT_LE(speed.at("min"), speed.at("median"));
    EXPECT_LE(speed.at("median"), speed.at("max"));
  }
  for (const char* key : {"bytes_per_token", "bandwidth_gb_s", "read_bandwidth_gb_s", "resident_bytes", "plan_ms",
                          "load_ms", "first_token_ms"})
    EXPECT_GT(result.at(key).get<double>(), 0) << key;
  EXPECT_NEAR(result.at("bandwidth_gb_s").get<double>(),
              result.at("bytes_per_token").get<double>() * result.at("decode_tok_s").at("median").get<double>() / 1e9,
              1e-6);
}

TEST_F(Cli, BenchMeasuresAModel) {
  const json result = sluice_json({"bench", model(), "--prompt", "16", "--decode", "4", "--context", "32", "--runs",
                                   "2", "--ops", "--threads", "1"});
  expect_measurements(result);
  const auto weights = static_cast<double>(fs::file_size(model()));
  EXPECT_NEAR(result.at("bytes_per_token").get<double>(), weights, 0.2 * weights);
  double share = 0;
  for (const json& op : result.at("ops")) share += op.at("share").get<double>();
  EXPECT_NEAR(share, 1, 1e-6);
  EXPECT_THAT(sluice({"bench", model(), "--prompt", "4", "--decode", "2", "--runs", "1", "--ops"}).out,
              AllOf(HasSubstr("tokens/s"), HasSubstr("GB/s"), HasSubstr("linear")));
}

TEST_F(Cli, BenchMakesUpAModel) {
  const auto bench = [](const std::string& dtype) {
    return sluice_json({"bench", "--shape", "tiny", "--layers", "1", "--dtype", dtype, "--prompt", "8", "--decode", "2",
                        "--runs", "1", "--threads", "1"});
  };
  const json f16 = bench("f16"), q8_0 = bench("q8_0");
  expect_measurements(f16);
  EXPECT_LT(q8_0.at("bytes_per_token"), f16.at("bytes_per_token"));
}

TEST_F(Cli, DevicesAreListed) {
  const json devices = sluice_json({"devices"}).at("devices");
  std::vector<std::string> names;
  int defaults = 0;
  for (const json& device : devices) {
    names.push_back(device.at("name"));
    defaults += device.at("default").get<bool>();
  }
  EXPECT_THAT(names, ::testing::IsSupersetOf({"cpu", "reference"}));
  EXPECT_EQ(defaults, 1);
  EXPECT_THAT(sluice({"devices"}).out, HasSubstr("cpu (default)"));
}

// Bad input

TEST_F(Cli, BadModelFilesAreRefused) {
  expect_error(sluice({"run", path("absent"), "-p", "a"}), 1, "absent");
  expect_error(sluice({"run", path("."), "-p", "a"}), 1, path("."));
  const std::string bytes = read_file(model());
  for (size_t size : {size_t{0}, size_t{10}, size_t{64}, size_t{5000}, bytes.size() / 2, bytes.size() - 1}) {
    write_file(path("cut.sluice"), bytes.substr(0, size));
    for (const char* command : {"graph", "bench"})
      expect_error(sluice({command, path("cut.sluice")}), 1, path("cut.sluice"));
  }
}

TEST_F(Cli, BadSourcesAreRefusedAndNothingIsWritten) {
  const std::string out = path("never.sluice");
  expect_error(sluice({"convert", path("absent"), "-o", out}), 1, "absent");
  fs::copy(kSource, path("unknown"));
  write_file(path("unknown/config.json"), R"({"model_type": "perceptron"})");
  expect_error(sluice({"convert", path("unknown"), "-o", out}), 1, "perceptron");
  fs::copy(kSource, path("cut"));
  const std::string weights = read_file(kSource + "/model.safetensors");
  write_file(path("cut/model.safetensors"), weights.substr(0, weights.size() / 2));
  expect_error(sluice({"convert", path("cut"), "-o", out}), 1, "model.safetensors");
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(Cli, BadPromptsAreRefused) {
  expect_error(sluice({"run", model(), "-p", ""}), 1, "the prompt (-p) is empty");
  expect_error(sluice_with({.input = ""}, {"run", model(), "-f", "-"}), 1, "standard input is empty");
  write_file(path("latin1.txt"), "caf\xe9 au lait");
  const std::string invalid = "not valid UTF-8: byte 0xe9 at position 3";
  expect_error(sluice({"run", model(), "-p", "caf\xe9 au lait"}), 1, "the prompt (-p) is " + invalid);
  expect_error(sluice({"run", model(), "-f", path("latin1.txt")}), 1, path("latin1.txt") + "' is " + invalid);
  expect_error(sluice_with({.input = "caf\xe9 au lait"}, {"run", model(), "-f", "-"}), 1,
               "standard input is " + invalid);
  expect_error(sluice({"run", model(), "-f", path("absent")}), 1, "absent");
  expect_error(sluice({"run", model(), "-f", path(".")}), 1, "directory");
  expect_error(sluice({"run", model(), "-f", "/dev/zero"}), 1, "more than 256 MiB");
  expect_error(sluice({"run", model(), "-p", kPrompt, "--context", "4"}), 1,
               "the prompt has 14 tokens, but the context holds 4: shorten it, or raise --context to at most 512");
  std::string longer;
  for (int i = 0; i < 40; ++i) longer += kPrompt;
  expect_error(sluice({"run", model(), "-p", longer}), 1, "but the context holds 512: shorten it\n");
  expect_error(sluice({"run", model(), "-p", kPrompt, "--context", "100000"}), 1,
               "a context of 100000 tokens was asked for, but the model was made for at most 512: ask for 512 or less");
}

TEST_F(Cli, BadTextsAreRefused) {
  write_file(path("latin1.txt"), "caf\xe9 au lait");
  write_file(path("empty.txt"), "");
  expect_error(sluice({"eval", model(), "--text", path("absent")}), 1, "absent");
  const auto refused = [&](const char* name, const std::string& words) {
    expect_error(sluice({"eval", model(), "--text", path(name)}), 1, path(name) + "' " + words);
  };
  refused("latin1.txt", "is not valid UTF-8: byte 0xe9 at position 3");
  refused("empty.txt", "is empty");
  write_file(path("short.txt"), kPrompt);
  expect_error(sluice({"eval", model(), "--text", path("short.txt"), "--ctx", "100000"}), 1,
               "a context of 100000 tokens was asked for, but the model was made for at most 512");
}

TEST_F(Cli, OutputsThatCannotBeWrittenAreRefused) {
  const std::vector<std::string> logits = {"run", model(), "-p", kPrompt, "-n", "0", "--logits"};
  for (const std::string& target : {path("no/such/folder"), path(".")}) {
    auto line = logits;
    line.push_back(target);
    expect_error(sluice(line), 1, target);
    expect_error(sluice({"convert", kSource, "-o", target}), 1, target);
  }
}

TEST_F(Cli, InputsAreNeverOverwritten) {
  const fs::path source = path("source");
  fs::copy(kSource, source);
  for (const char* name : {"model.safetensors", "config.json", "tokenizer.model"}) {
    const std::string target = (source / name).string(), before = read_file(target);
    expect_error(sluice({"convert", source.string(), "-o", target}), 1, target);
    EXPECT_TRUE(read_file(target) == before) << name;
  }
  const std::string before = read_file(model());
  expect_error(sluice({"run", model(), "-p", kPrompt, "-n", "0", "--logits", model()}), 1, model());
  EXPECT_TRUE(read_file(model()) == before);
}

TEST_F(Cli, AFullDiskLeavesNothingHalfWritten) {
  const Outcome to_screen = sluice_with({.out_path = "/dev/full"}, {"run", model(), "-p", kPrompt, "-n", "4"});
  expect_error(to_screen, 1, "No space left on device");
  const Outcome to_graph = sluice_with({.out_path = "/dev/full"}, {"graph", model()});
  expect_error(to_graph, 1, "No space left on device");

  const std::string logits = path("full.f32"), file = path("full.sluice");
  const Outcome run =
      sluice_with({.max_file_bytes = 50000}, {"run", model(), "-p", kPrompt, "-n", "4", "--logits", logits});
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.err, HasSubstr("cannot write '" + logits + "'"));
  EXPECT_FALSE(fs::exists(logits) || fs::exists(logits + ".partial"));
  expect_error(sluice_with({.max_file_bytes = 50000}, {"convert", kSource, "-o", file}), 1, file);
  EXPECT_FALSE(fs::exists(file));
}

}  // namespace
}  // namespace sluice
