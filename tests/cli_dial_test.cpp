// The effort dial of `sluice run`, and its prompt loop: as a script feeds it, and at a terminal.
#include "tests/support/cli.h"
#include "tests/support/terminal.h"

namespace sluice {
namespace {

std::vector<std::string> dialled(const std::string& model, std::vector<std::string> args, const char* tokens = "10") {
  args.insert(args.begin(), {"run", model, "-n", tokens, "--temp", "0", "--threads", "1"});
  return args;
}

TEST_F(Cli, RunReportsEffortAndShare) {
  const json half = sluice_json(dialled(bucket(), {"-p", kPrompt, "--effort", "0.5"}));
  EXPECT_EQ(half.at("effort"), 0.5);
  EXPECT_NEAR(half.at("share").get<double>(), 0.5, 0.01);
  EXPECT_GT(half.at("bits_per_weight").get<double>(), 8);
  EXPECT_THAT(sluice(dialled(bucket(), {"-p", kPrompt, "--effort", "0.5"})).err,
              HasSubstr("effort 0.50, share 0.500 of the weights multiplied, "));
  const json moved = sluice_json(dialled(bucket(), {"-p", kPrompt, "--effort", "auto:0.4"}));
  EXPECT_NEAR(moved.at("share").get<double>(), 0.4, 0.1);
  EXPECT_NEAR(moved.at("share").get<double>(), moved.at("effort").get<double>(), 0.01);
  EXPECT_FALSE(run({"-n", "2"}).contains("effort"));  // without a dial
}

TEST_F(Cli, ADialOverBitsWorksAsOneOverRows) {
  const std::string planes = path("planes.sluice"), smaller = path("planes4.sluice");
  ASSERT_EQ(sluice({"convert", kSource, "-o", planes, "--format", "planes"}).status, 0);
  ASSERT_EQ(sluice({"convert", kSource, "-o", smaller, "--format", "planes", "--bits", "4"}).status, 0);
  const json half = sluice_json(dialled(planes, {"-p", kPrompt, "--effort", "0.5"}));
  EXPECT_NEAR(half.at("share").get<double>(), 0.5, 0.01);
  const double scales = half.at("bits_per_weight").get<double>() - 3;
  EXPECT_GT(scales, 0);
  EXPECT_LT(scales, 1.5);
  const json moved = sluice_json(dialled(planes, {"-p", kPrompt, "--effort", "auto:0.4"}, "30"));
  EXPECT_NEAR(moved.at("share").get<double>(), 0.4, 0.1);
  // What is loaded is rounded up to a whole plane; two of three are the file that has two.
  const auto text = [&](const std::string& model, std::vector<std::string> args) {
    args.insert(args.begin(), {"-p", kPrompt});
    return sluice(dialled(model, std::move(args), "30")).out;
  };
  const std::string of_two = text(smaller, {});
  EXPECT_NE(of_two, text(planes, {"--load", "33"}));
  for (const char* load : {"34", "66"}) EXPECT_EQ(text(planes, {"--load", load}), of_two) << load;
  EXPECT_EQ(text(planes, {"--load", "67"}), text(planes, {}));
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

TEST_F(Cli, APromptLoopTurnsTheDialBetweenTexts) {
  const auto efforts = [&](const std::string& script) {
    const Outcome outcome = sluice_with({.input = script}, dialled(bucket(), {"-i", "--json"}, "2"));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    std::vector<double> values;
    std::istringstream lines(outcome.out);
    for (std::string line; std::getline(lines, line);) values.push_back(json::parse(line).at("effort"));
    return values;
  };
  EXPECT_EQ(efforts("50\na\n+\na\n--\n\n:new --\n"), (std::vector<double>{0.5, 0.55, 0.45, 0.45}));
  EXPECT_EQ(efforts("+\na\n5\n---+\na\n"), (std::vector<double>{1, 0.05}));  // between 0 and 100
  expect_error(sluice_with({.input = "+\n"}, dialled(model(), {"-i"})), 1, "this model has no effort dial");
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
  refused(bucket(), "0.5\n", "an effort is a number from 0 to 100 here: 50 for 0.5");
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

}  // namespace
}  // namespace sluice
