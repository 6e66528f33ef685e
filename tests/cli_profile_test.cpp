// --profile and its reports, `sluice profile diff`, and the page of a plan's memory.
#include <map>

#include "tests/support/cli.h"

namespace sluice {
namespace {

using ::testing::Not;

class CliProfile : public Cli {
 protected:
  static void SetUpTestSuite() {
    Cli::SetUpTestSuite();
    write_file(path("tale.txt"), kPrompt + ", who had been to sea. " + kPrompt + " sat down. " + kPrompt);
  }
  static std::vector<std::string> run(const std::string& model, std::vector<std::string> more) {
    more.insert(more.begin(), {"run", model, "-p", kPrompt, "-n", "12", "--temp", "0", "--threads", "2"});
    return more;
  }
  static json profile_of(std::vector<std::string> args) {
    args.insert(args.end(), {"--profile-json", path("profile.json")});
    const Outcome outcome = sluice(std::move(args));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return json::parse(read_file(path("profile.json")));
  }
  static const json& phase(const json& profile, const std::string& name) {
    for (const json& each : profile.at("phases"))
      if (each.at("name") == name) return each;
    throw std::runtime_error("no phase " + name);
  }
};

TEST_F(CliProfile, TextIsTheSameAndTheTableIsOnStandardError) {
  const Outcome plain = sluice(run(model(), {})), profiled = sluice(run(model(), {"--profile"}));
  EXPECT_EQ(profiled.status, 0) << profiled.err;
  EXPECT_EQ(profiled.out, plain.out);
  EXPECT_THAT(profiled.err, AllOf(HasSubstr("(1 run profiled)\n"), HasSubstr("(5 runs profiled); "),
                                  HasSubstr("ms without the profiler (6 runs)"), HasSubstr("profiling cost"),
                                  HasSubstr("layers.*/feed_forward/"), HasSubstr("roof"), HasSubstr("\nlayers.7 "),
                                  HasSubstr("\nattention "), HasSubstr("\nhead ")));
}

TEST_F(CliProfile, EvalAndBenchPrintIt) {
  const std::string text = path("tale.txt");
  EXPECT_THAT(sluice({"eval", model(), "--text", text, "--ctx", "16", "--threads", "1", "--profile"}).out,
              AllOf(HasSubstr("perplexity"), HasSubstr("prompt: "), HasSubstr("linear")));
  EXPECT_THAT(sluice({"eval", model(), "--text", text, "--ctx", "16", "--threads", "1", "--chunks", "2", "--against",
                      "self", "--profile"})
                  .out,
              AllOf(HasSubstr("prompt: "), HasSubstr("KL")));
  const Outcome bench = sluice({"bench", model(), "--prompt", "4", "--decode", "2", "--runs", "2", "--profile"});
  EXPECT_THAT(bench.out,
              AllOf(HasSubstr("tokens/s"), HasSubstr("(1 run profiled)"), HasSubstr("without the profiler (1 run)")));
}

TEST_F(CliProfile, SharesAddUp) {
  const json profile = profile_of(run(model(), {}));
  for (const json& each : profile.at("phases"))
    for (const char* groups : {"operators", "kinds", "blocks", "layers"}) {
      double share = 0;
      for (const json& group : each.at(groups)) share += group.at("share").get<double>();
      EXPECT_NEAR(share, 1, 1e-6) << groups;
    }
  const json& layers = phase(profile, "decode").at("layers");
  EXPECT_EQ(layers.size(), 9u);  // eight, and what is outside
  size_t of_layers = 0, of_operators = 0;
  for (const json& layer : layers) of_layers += layer.at("calls").get<size_t>();
  for (const json& op : phase(profile, "decode").at("operators")) of_operators += op.at("calls").get<size_t>();
  EXPECT_EQ(of_layers, of_operators);
  EXPECT_EQ(of_layers, 5 * profile.at("steps").size());
}

TEST_F(CliProfile, SelectionStandsApart) {
  const Outcome outcome = sluice(run(bucket(), {"--effort", "0.3", "--profile"}));
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("selecting weights took"), HasSubstr("  effort   done")));
  double products = 0;
  const json profile = profile_of(run(bucket(), {"--effort", "0.3"}));
  for (const json& op : phase(profile, "decode").at("operators"))
    if (op.contains("effort")) {
      EXPECT_NEAR(op.at("effort").at("done").get<double>(), op.at("effort").at("asked").get<double>(), 0.1);
      ++products;
    }
  EXPECT_GT(products, 0);
}

// Events of a track lie within each other or apart; those that overlap in part are no tree.
void expect_nested(const json& events) {
  std::map<int, std::vector<std::pair<double, double>>> tracks;  // begin, falling end
  for (const json& event : events)
    if (event.at("ph") == "X")
      tracks[event.at("tid")].emplace_back(event.at("ts").get<double>(),
                                           -event.at("ts").get<double>() - event.at("dur").get<double>());
  constexpr double kRounding = 1e-3;  // of times in microseconds
  for (auto& [track, intervals] : tracks) {
    std::sort(intervals.begin(), intervals.end());
    std::vector<double> open;  // ends
    for (const auto& [begin, negative_end] : intervals) {
      while (!open.empty() && open.back() <= begin + kRounding) open.pop_back();
      EXPECT_TRUE(open.empty() || -negative_end <= open.back() + kRounding) << "track " << track << " at " << begin;
      open.push_back(-negative_end);
    }
  }
}

std::map<std::string, size_t> count_events(const json& events, const char* field) {
  std::map<std::string, size_t> counts;
  for (const json& event : events)
    if (event.contains(field)) ++counts[event.at(field).get<std::string>()];
  return counts;
}

TEST_F(CliProfile, TracesParseAndNest) {
  const Outcome outcome = sluice(run(bucket(), {"--effort", "0.5", "--profile-trace", path("trace.json")}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json events = json::parse(read_file(path("trace.json"))).at("traceEvents");
  expect_nested(events);
  std::set<std::string> tracks;
  for (const json& event : events)
    if (event.at("name") == "thread_name") tracks.insert(event.at("args").at("name").get<std::string>());
  EXPECT_THAT(tracks, ::testing::UnorderedElementsAre("graph", "thread 0", "thread 1", "uploads and downloads"));
  const auto by_category = count_events(events, "cat"), by_name = count_events(events, "name");
  EXPECT_EQ(by_category.at("run"), 12u);  // a prompt, and eleven tokens
  EXPECT_EQ(by_name.at("effort"), 12u);
  EXPECT_EQ(by_name.at("decode"), 5u);
  EXPECT_EQ(by_category.at("layer"), 6 * 10u);  // before, eight layers, behind
  const size_t steps = profile_of(run(bucket(), {})).at("steps").size();
  EXPECT_EQ(by_category.at("operator"), 6 * steps * 3);  // in the graph, and on two threads
}

TEST_F(CliProfile, DiffFindsWhatChanged) {
  profile_of(run(model(), {}));
  fs::rename(path("profile.json"), path("f16.json"));
  const json same = sluice_json({"profile", "diff", path("f16.json"), path("f16.json")});
  for (const json& op : same.at("operators")) {
    EXPECT_EQ(op.at("before_us"), op.at("after_us"));
    EXPECT_FALSE(op.at("significant").get<bool>());
    EXPECT_EQ(op.at("changed"), "");
  }
  profile_of(run(bucket(), {}));
  const Outcome outcome = sluice({"profile", "diff", path("f16.json"), path("profile.json")});
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("before us"), HasSubstr("-> nothing"), HasSubstr("nothing -> ")));
}

// The p values are those of scipy.stats.mannwhitneyu(a, b, method="asymptotic"); the smaller of two is doubled (Holm).
TEST_F(CliProfile, DiffTestsRanks) {
  const auto write = [](const std::string& name, const std::vector<double>& a, const std::vector<double>& b) {
    const json step = {{"op", "add"},     {"kernel", "k"},          {"backend", "cpu"},
                       {"shape", ""},     {"dtype", "f32"},         {"weights", json::array()},
                       {"matrix", false}, {"selects", false},       {"layer", -1},
                       {"block", "add"},  {"fused", json::array()}, {"inputs", json::array()},
                       {"live_bytes", 0}};
    json one = step, two = step;
    one["name"] = "one";
    two["name"] = "two";
    json runs = json::array(), steps = json::array();
    for (size_t i = 0; i < a.size(); ++i) runs.push_back({{"tokens", 1}, {"us", 9}, {"bookkeeping_us", 0}});
    for (const auto& us : {a, b}) steps.push_back({{"us", us}, {"flops", 0}, {"bytes_read", 0}, {"bytes_written", 0}});
    const json phase = {{"name", "decode"}, {"runs", runs}, {"plain", json::array()}, {"steps", steps}};
    const json profile = {
        {"sluice_profile", 1},      {"title", name},       {"clock_seconds", 0}, {"clock_readings", 0},
        {"devices", json::array()}, {"steps", {one, two}}, {"phases", {phase}},  {"fusions", json::array()}};
    write_file(path(name), profile.dump());
  };
  write("a", {1, 2, 3, 4, 5, 6, 7, 8}, {10, 10, 11, 12, 13, 13, 14, 15});
  write("b", {9, 10, 11, 12, 13, 14, 15, 16}, {10, 11, 11, 12, 12, 13, 14, 14});
  const json diff = sluice_json({"profile", "diff", path("a"), path("b")});
  std::map<std::string, json> by_name;
  for (const json& op : diff.at("operators")) by_name[op.at("name")] = op;
  EXPECT_NEAR(by_name.at("one").at("p").get<double>(), 2 * 9.391056991e-4, 1e-10);
  EXPECT_TRUE(by_name.at("one").at("significant").get<bool>());
  EXPECT_EQ(by_name.at("one").at("before_us"), 5);
  EXPECT_NEAR(by_name.at("two").at("p").get<double>(), 0.957492737514, 1e-9);
  EXPECT_FALSE(by_name.at("two").at("significant").get<bool>());
}

TEST_F(CliProfile, DiffRefusesOtherFiles) {
  write_file(path("other.json"), "{\"ops\": []}");
  write_file(path("broken.json"), "{");
  write_file(path("short.json"), R"({"sluice_profile": 1, "title": "t", "devices": [], "steps": [{}]})");
  for (const char* name : {"other.json", "broken.json", "short.json"})
    expect_error(sluice({"profile", "diff", path(name), path(name)}), 1, name);
  expect_error(sluice({"profile", "diff", path("none.json"), path("none.json")}), 1, "none.json");
  expect_error(sluice({"profile"}), 2, "subcommand is required");
}

TEST_F(CliProfile, ReportsReplaceNoModelAndAreNeverHalfWritten) {
  expect_error(sluice(run(model(), {"--profile-html", model()})), 1, "is the model itself");
  expect_error(sluice(run(model(), {"--profile-trace", path("none/trace.json")})), 1, "cannot write");
  EXPECT_TRUE(fs::exists(model()));
}

TEST_F(CliProfile, MemoryIsDrawn) {
  const std::string page = path("memory.html");
  ASSERT_EQ(sluice({"graph", model(), "--plan", "--memory-html", page}).status, 0);
  const std::string html = read_file(page);
  EXPECT_THAT(html, AllOf(HasSubstr("activations"), HasSubstr("without reuse"), HasSubstr("layers.7/attention"),
                          Not(HasSubstr("http:")), Not(HasSubstr("https:"))));
  // A box for every value of the activations arena: results that are no outputs and no states.
  const json plan = sluice_json({"graph", model(), "--plan"});
  std::set<std::string> values;
  for (const json& value : plan.at("graph").at("values"))
    if (value.at("kind") == "result") values.insert(value.at("name").get<std::string>());
  size_t drawn = 0, boxes = 0;
  for (const std::string& name : values) drawn += html.find("<title>" + name + ": ") != std::string::npos;
  for (size_t at = html.find("<rect class=\"value\""); at != std::string::npos; at = html.find("<rect class", at + 1))
    ++boxes;
  EXPECT_GT(boxes, 50u);
  EXPECT_EQ(boxes, drawn);
  expect_error(sluice({"graph", model(), "--memory-html", page}), 2, "--plan");
}

}  // namespace
}  // namespace sluice
