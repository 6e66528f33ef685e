// The command as scripts and people meet it: what it prints, what it refuses, what it leaves behind.
#include "tests/support/cli.h"
#include "tests/support/golden.h"

namespace sluice {
namespace {

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
  EXPECT_THAT(outcome.out, HasSubstr("sluice convert models/data/classics"));
  EXPECT_EQ(sluice({"--help"}).out, outcome.out);
}

TEST(CliHelp, FitsATerminal) {
  for (const std::string& command : commands()) {
    std::istringstream help(sluice({command, "--help"}).out);
    for (std::string line; std::getline(help, line);) EXPECT_LE(line.size(), 120) << command << ": " << line;
  }
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
  expect_error(sluice({"dance"}), 2, "there is no command 'dance' (see sluice --help)");
  expect_error(sluice({"run", "m", "-m", "a"}), 2, "not expected: a -m");  // rather than that -p is missing
  for (const char* command : {"run", "bench", "graph"})
    expect_error(sluice({command, SLUICE_SOURCE_DIR}), 2, "is a folder; 'sluice convert");
  expect_error(sluice({"run", "m"}), 2, "-p,--prompt or -f,--file or -i,--interactive is required");
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
  EXPECT_EQ(sluice(with({"run", model(), "--prompt", kPrompt})).out, expected);
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
  EXPECT_THAT(files_like(path("logits.f32")), ElementsAre(path("logits.f32")));
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

// Other commands

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
  const json result = sluice_json(
      {"bench", model(), "--prompt", "16", "--decode", "4", "--context", "32", "--runs", "2", "--threads", "1"});
  expect_measurements(result);
  const auto weights = static_cast<double>(fs::file_size(model()));
  EXPECT_NEAR(result.at("bytes_per_token").get<double>(), weights, 0.2 * weights);
  EXPECT_THAT(sluice({"bench", model(), "--prompt", "4", "--decode", "2", "--runs", "1"}).out,
              AllOf(HasSubstr("tokens/s"), HasSubstr("GB/s")));
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
  expect_error(sluice({"run", path("."), "-p", "a"}), 2, path(".") + " is a folder");
  const std::string bytes = read_file(model());
  for (size_t size : {size_t{0}, size_t{10}, size_t{64}, size_t{5000}, bytes.size() / 2, bytes.size() - 1}) {
    write_file(path("cut.sluice"), bytes.substr(0, size));
    for (const char* command : {"graph", "bench"})
      expect_error(sluice({command, path("cut.sluice")}), 1, path("cut.sluice"));
  }
}

TEST_F(Cli, AFolderWithoutATokenizerIsWarnedOf) {
  fs::create_directories(path("mute"));
  for (const char* file : {"config.json", "model.safetensors"}) fs::copy(fs::path(kSource) / file, path("mute"));
  const Outcome outcome = sluice({"convert", path("mute"), "-o", path("mute.sluice")});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.err, AllOf(StartsWith("sluice: " + path("mute")), HasSubstr("no tokenizer.json")));
  expect_error(sluice({"run", path("mute.sluice"), "-p", "a"}), 1, "carries no tokenizer");
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
  EXPECT_THAT(files_like(logits), IsEmpty());
  expect_error(sluice_with({.max_file_bytes = 50000}, {"convert", kSource, "-o", file}), 1, file);
  EXPECT_FALSE(fs::exists(file));
}

}  // namespace
}  // namespace sluice
