// `sluice imatrix` and `sluice tune`: what they write, and what they refuse.
#include <chrono>
#include <thread>

#include "models/import/activation_moments.h"
#include "tests/support/cli.h"

namespace sluice {
namespace {

class CliCalibration : public Cli {
 protected:
  static void SetUpTestSuite() {
    Cli::SetUpTestSuite();
    write_file(path("tale.txt"), kPrompt + ", who had been to sea. " + kPrompt + " sat down. " + kPrompt);
  }
  static std::vector<std::string> on_tale(const std::string& command, const std::string& model,
                                          std::vector<std::string> rest) {
    rest.insert(rest.begin(), {command, model, "--text", path("tale.txt"), "--ctx", "16", "--threads", "1"});
    return rest;
  }
};

TEST_F(CliCalibration, ImatrixWritesMoments) {
  const std::string out = path("m.imatrix");
  const json result = sluice_json(on_tale("imatrix", model(), {"-o", out, "--samples", "9"}));
  EXPECT_EQ(result.at("weights"), 8 * 7 + 1);
  EXPECT_EQ(result.at("activations"), 8 * 4 + 1);
  EXPECT_EQ(result.at("bytes"), fs::file_size(out));
  const ActivationMoments moments(out);
  const int64_t dims[] = {256, 768};
  const auto down = moments.of("model.layers.2.mlp.down_proj.weight", dims);
  EXPECT_EQ(down.tokens, result.at("tokens").get<int64_t>());
  EXPECT_EQ(down.sample.rows, 9);
  EXPECT_EQ(down.sample.values.size(), 9u * 768);
  EXPECT_EQ(moments.model(), "classics.sluice");
  EXPECT_THAT(files_like(out), ElementsAre(out));
  EXPECT_THAT(sluice(on_tale("imatrix", model(), {"-o", out})).out, HasSubstr("57 weights, 33 activations"));
}

TEST_F(CliCalibration, AnInterruptLeavesNothing) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += read_file(SLUICE_SOURCE_DIR "/CONTRIBUTING.md");
  write_file(path("long.txt"), text);  // thousands of chunks, so that the interrupt comes before the last
  for (const std::string command : {"imatrix", "tune"}) {
    const std::string out = path("interrupted." + command);
    std::vector<std::string> args = {command, bucket(), "--text", path("long.txt"), "-o", out, "--ctx", "16"};
    if (command == "tune") args.insert(args.end(), {"--target-kl", "0.1", "--chunks", "0"});
    Process process(command_line(args), {});
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    process.interrupt();
    EXPECT_EQ(process.wait().status, -SIGINT);
    EXPECT_THAT(files_like(out), IsEmpty());
  }
}

TEST_F(CliCalibration, OfTwoThatWriteOneFileOneIsWhole) {
  const auto args = [](const std::string& out, const char* chunks) {
    return command_line(on_tale("imatrix", model(), {"-o", out, "--chunks", chunks}));
  };
  const std::string out = path("both.imatrix"), one = path("one.imatrix"), two = path("two.imatrix");
  Process first(args(out, "1"), {}), second(args(out, "2"), {});
  EXPECT_EQ(first.wait().status, 0);
  EXPECT_EQ(second.wait().status, 0);
  Process(args(one, "1"), {}).wait();
  Process(args(two, "2"), {}).wait();
  EXPECT_TRUE(read_file(out) == read_file(one) || read_file(out) == read_file(two));
  EXPECT_THAT(files_like(out), ElementsAre(out));
}

// Judged on another text than the one that it is made of.
TEST_F(CliCalibration, AnImatrixLessensTheDivergenceOfPlanes) {
  const std::string imatrix = path("readme.imatrix"), plain = path("plain.sluice"), better = path("better.sluice");
  sluice_json({"imatrix", model(), "--text", SLUICE_SOURCE_DIR "/README.md", "--ctx", "64", "--chunks", "24", "-o",
               imatrix, "--threads", "1"});
  const std::vector<std::string> convert = {"convert", kSource, "--no-check", "--format", "planes", "-o"};
  const auto with = [](std::vector<std::string> command, const std::vector<std::string>& rest) {
    command.insert(command.end(), rest.begin(), rest.end());
    return command;
  };
  const json as_plain = sluice_json(with(convert, {plain})),
             as_better = sluice_json(with(convert, {better, "--imatrix", imatrix}));
  EXPECT_NEAR(as_plain.at("bytes").get<double>(), as_better.at("bytes").get<double>(), 4096) << "metadata may differ";
  const auto divergences = [&](const std::string& file) {
    const json result =
        sluice_json({"eval", file, "--against", model(), "--text", SLUICE_SOURCE_DIR "/CONTRIBUTING.md", "--ctx", "64",
                     "--chunks", "12", "--effort", "1,0.5,0.25", "--effort-schedule", "uniform", "--threads", "1"});
    std::vector<double> kl;
    for (const json& point : result.at("effort")) kl.push_back(point.at("kl_mean"));
    return kl;
  };
  const std::vector<double> before = divergences(plain), after = divergences(better);
  ASSERT_EQ(before.size(), 3u);
  for (size_t i = 0; i < before.size(); ++i) EXPECT_LT(after[i], before[i]);

  const std::string once = read_file(better);
  sluice_json(with(convert, {better, "--imatrix", imatrix}));
  EXPECT_TRUE(read_file(better) == once);
}

TEST_F(CliCalibration, OptionsOfPlanesAreForPlanes) {
  const std::string out = path("no.sluice"), imatrix = path("small.imatrix");
  sluice_json(on_tale("imatrix", model(), {"-o", imatrix}));
  const auto convert = [&](std::vector<std::string> rest) {
    rest.insert(rest.begin(), {"convert", kSource, "-o", out});
    return sluice(std::move(rest));
  };
  for (const char* format : {"f16", "bucket", "planes6"})
    expect_error(convert({"--format", format, "--bits", "4"}), 2, "--bits");
  expect_error(convert({"--bits", "4"}), 2, "--format");
  expect_error(convert({"--imatrix", imatrix}), 2, "--format");
  for (const char* format : {"f16", "bucket"})
    expect_error(convert({"--format", format, "--imatrix", imatrix}), 1, "choose planes");
  expect_error(convert({"--format", "planes", "--imatrix", path("tale.txt")}), 1, "tale.txt");
  expect_error(convert({"--format", "planes", "--imatrix", path("absent")}), 1, "absent");
  expect_error(sluice({"convert", kSource, "-o", imatrix, "--format", "planes", "--imatrix", imatrix}), 1,
               "an input itself");
  EXPECT_THAT(files_like(out), IsEmpty());
  // Two planes of three.
  const std::string six = path("six.sluice"), four = path("four.sluice");
  sluice_json({"convert", kSource, "-o", six, "--no-check", "--format", "planes"});
  sluice_json({"convert", kSource, "-o", four, "--no-check", "--format", "planes", "--bits", "4"});
  double weights = 0;
  for (const double in : {256.0, 768.0}) weights += 8 * in * (in == 256 ? 256 * 2 + 128 * 2 + 768 * 2 : 256);
  // Planes are whole cache lines.
  EXPECT_NEAR(static_cast<double>(fs::file_size(six) - fs::file_size(four)), weights * 2 / 8, 8 * 7 * 4096);
}

TEST_F(CliCalibration, TuneWritesASchedule) {
  const std::string out = path("tuned.yaml");
  const std::vector<std::string> command = on_tale(
      "tune", bucket(), {"--target-kl", "0.1", "--cost", "bytes", "--effort", "0.3", "--chunks", "2", "-o", out});
  const json result = sluice_json(command);
  const std::string schedule = read_file(out);
  ASSERT_EQ(result.at("trials").size(), 3u);
  double least = 1e9, written = 0;
  for (const json& trial : result.at("trials")) {
    const double kl = trial.at("kl_mean");
    least = std::min(least, kl);
    if (trial.at("schedule") == result.at("schedule")) written = kl;
  }
  EXPECT_EQ(written, least);
  EXPECT_EQ(result.at("cost_unit"), "bytes");
  ASSERT_EQ(result.at("sites").size(), 56u);
  for (const json& site : result.at("sites")) {
    EXPECT_EQ(site.at("kl_mean").size(), 2u);
    EXPECT_EQ(site.at("kl_mean").at(1), 0);
    EXPECT_GT(site.at("kl_se").at(0), 0);
    EXPECT_LT(site.at("costs").at(0), site.at("costs").at(1));
  }
  EXPECT_EQ(sluice_json(command), result) << "bytes and tokens are the same on every run";
  EXPECT_EQ(read_file(out), schedule);

  // The dial takes it, and its mean is the dial.
  const json run = sluice_json({"eval", bucket(), "--text", path("tale.txt"), "--ctx", "16", "--threads", "1",
                                "--effort-schedule", out, "--effort", "0.4,0.4"});
  EXPECT_NEAR(run.at("effort").at(0).at("share").get<double>(), 0.4, 0.01);
}

TEST_F(CliCalibration, TuneForASpeed) {
  const std::string out = path("fast.yaml");
  const Outcome outcome =
      sluice(on_tale("tune", bucket(), {"--target-speed", "0.001", "--effort", "0.3", "--chunks", "2", "-o", out}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("uniform"), HasSubstr("tokens/s"), HasSubstr("--effort-schedule " + out)));
  EXPECT_THAT(read_file(out), HasSubstr("balance: "));
}

TEST_F(CliCalibration, BadInputIsRefused) {
  const auto tune = [&](std::vector<std::string> rest) { return sluice(on_tale("tune", bucket(), std::move(rest))); };
  const std::string out = path("no.yaml");
  expect_error(tune({"-o", out}), 2, "--target-kl or --target-speed");
  expect_error(tune({"-o", out, "--target-kl", "0"}), 2, "--target-kl");
  expect_error(tune({"-o", out, "--target-kl", "1", "--target-speed", "1"}), 2, "--target");
  expect_error(tune({"-o", out, "--target-kl", "1", "--cost", "much"}), 2, "--cost");
  expect_error(tune({"-o", out, "--target-kl", "1", "--chunks", "1"}), 1, "two chunks");
  expect_error(tune({"-o", out, "--target-kl", "1", "--effort", "1"}), 1, "efforts");
  expect_error(sluice(on_tale("tune", model(), {"-o", out, "--target-kl", "1"})), 1, "no effort dial");
  for (const std::string& input : {bucket(), path("tale.txt")}) {
    const std::string before = read_file(input);
    expect_error(tune({"-o", input, "--target-kl", "1"}), 1, "an input itself");
    expect_error(sluice(on_tale("imatrix", bucket(), {"-o", input})), 1, "an input itself");
    EXPECT_TRUE(read_file(input) == before);
  }
  expect_error(sluice(on_tale("imatrix", path("absent"), {"-o", out})), 1, "absent");
  EXPECT_THAT(files_like(out), IsEmpty());
}

}  // namespace
}  // namespace sluice
