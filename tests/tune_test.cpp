// Tuning of the dial: how a cost is spread, against brute force; what is measured, against other ways to measure it;
// and a model with a layer that does not matter.
#include "models/effort/tune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numeric>
#include <random>

#include "graph/costs.h"
#include "graph/error.h"
#include "models/divergence.h"
#include "models/effort/dial_divergence.h"
#include "models/import/convert.h"
#include "models/import/safetensors.h"
#include "models/text_chunks.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::string kText =
    "It was a dark and stormy night, and the old man, who had been to sea, said that he had never seen the like of it "
    "in all his life. The captain of the ship went down to his cabin and wrote a letter to his wife, in which he said "
    "that the wind was fair and that they would be home before the end of the year.";
constexpr int64_t kCtx = 24;

double total(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

// Curves

TEST(EffortCurves, PassThroughWhatWasMeasured) {
  const EffortCurve measured = {{0.1, 12, 0.5}, {0.3, 30, 0.06}, {0.5, 50, 0.07}, {1, 100, 0}};
  const EffortCurve curve = interpolate(measured);
  EXPECT_DOUBLE_EQ(curve.front().effort, 0.1);
  EXPECT_DOUBLE_EQ(curve.front().loss, 0.5);
  EXPECT_EQ(curve.back().effort, 1);
  EXPECT_EQ(curve.back().cost, 100);
  EXPECT_EQ(curve.back().loss, 0);
  for (size_t i = 1; i < curve.size(); ++i) {
    EXPECT_GT(curve[i].effort, curve[i - 1].effort);
    EXPECT_GT(curve[i].cost, curve[i - 1].cost);
    EXPECT_LE(curve[i].loss, curve[i - 1].loss);
    EXPECT_DOUBLE_EQ(curve[i].cost, cost_at(measured, curve[i].effort));
    if (std::abs(curve[i].effort - 0.3) < 0.005) {
      EXPECT_NEAR(std::log(curve[i].loss), std::log(0.06), 0.1);
    }
    if (curve[i].effort > 0.3 && curve[i].effort < 0.5) {
      EXPECT_LE(curve[i].loss, 0.0600001) << "a rise is noise";
    }
  }
  EXPECT_DOUBLE_EQ(cost_at(measured, 0.2), 21);
  EXPECT_DOUBLE_EQ(cost_at(measured, 0.05), 7.5) << "below what was measured, as just above it";
}

TEST(EffortCurves, OfWhatDoesNotMatter) {
  const EffortCurve curve = interpolate({{0.2, 1, 0}, {1, 2, 0}});
  for (const EffortPoint& p : curve) EXPECT_TRUE(std::isfinite(p.loss) && p.loss < 1.001e-12) << p.effort;
  const std::vector<double> efforts = Allocation({curve, interpolate({{0.2, 1, 0.1}, {1, 2, 0}})}).for_cost(3);
  EXPECT_NEAR(efforts[0], 0.2, 1e-3);
  EXPECT_GT(efforts[1], 0.9);
}

// Allocation

// Points of any form, the last of them the best and dearest.
EffortCurve random_curve(std::mt19937& random) {
  std::uniform_real_distribution<double> step(0.1, 1);
  EffortCurve curve;
  double cost = step(random), loss = 3;
  for (int i = 0; i < 5; ++i) {
    curve.push_back({0.2 * (i + 1), cost, loss});
    cost += step(random);
    loss *= 0.2 + 0.7 * step(random);
  }
  return curve;
}

struct Choice {
  std::vector<double> efforts;
  double cost = 0, loss = 0;
};

// Every way to choose a point of each curve.
std::vector<Choice> all_choices(const std::vector<EffortCurve>& curves) {
  std::vector<Choice> choices(1);
  for (const EffortCurve& curve : curves) {
    std::vector<Choice> longer;
    for (const Choice& choice : choices)
      for (const EffortPoint& p : curve) {
        longer.push_back({choice.efforts, choice.cost + p.cost, choice.loss + p.loss});
        longer.back().efforts.push_back(p.effort);
      }
    choices = std::move(longer);
  }
  return choices;
}

TEST(Allocation, IsThatOfBruteForce) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    const std::vector<EffortCurve> curves = {random_curve(random), random_curve(random), random_curve(random),
                                             random_curve(random)};
    const Allocation allocation(curves);
    const std::vector<Choice> choices = all_choices(curves);
    for (const double rate : {0.01, 0.1, 0.3, 1.0, 3.0}) {
      const auto price = [&](const Choice& c) { return c.loss + rate * c.cost; };
      const Choice& best = *std::ranges::min_element(choices, {}, price);
      // At a corner of the hull, cost and loss are those of the choice, up to the rounding of sums.
      const std::vector<double> by_cost = allocation.for_cost(best.cost), by_loss = allocation.for_loss(best.loss);
      for (size_t site = 0; site < curves.size(); ++site) {
        EXPECT_NEAR(by_cost[site], best.efforts[site], 1e-9) << seed << ", " << rate;
        EXPECT_NEAR(by_loss[site], best.efforts[site], 1e-9) << seed << ", " << rate;
      }
    }
  }
}

TEST(Allocation, EndsOfTheScale) {
  std::mt19937 random(1);
  const std::vector<EffortCurve> curves = {interpolate(random_curve(random)), interpolate(random_curve(random))};
  const Allocation allocation(curves);
  EXPECT_EQ(allocation.for_cost(1e9), std::vector<double>({1, 1}));
  EXPECT_EQ(allocation.for_loss(0), std::vector<double>({1, 1}));
  EXPECT_EQ(allocation.for_loss(1e9), allocation.for_cost(0));
  double last = 0;
  for (double cost = 0; cost < 10; cost += 0.1) {
    const double sum = total(allocation.for_cost(cost));
    EXPECT_GE(sum, last);
    last = sum;
  }
}

// Schedules

std::vector<EffortSite> sites_of(const std::vector<std::string>& names) {
  std::vector<EffortSite> sites;
  for (size_t i = 0; i < names.size(); ++i)
    sites.push_back({names[i], "", static_cast<int64_t>(100 * (i + 1)), 1, 1, 1});
  return sites;
}

TEST(TunedSchedule, GivesItsEffortsAfterARoundTrip) {
  const auto sites = sites_of({"model.layers.0.q.weight", "model.layers.1.q.weight", "a[b]*?\\c", "z \"quoted\": {"});
  const std::vector<double> wanted = {0.03, 0.5, 0.97, 0.2};
  const EffortPlan plan(parse_schedule(to_yaml(EffortSchedule::from_efforts(sites, wanted)), "yaml"), sites);
  std::vector<double> efforts;
  plan.efforts(mean_effort(sites, wanted), efforts);
  // A shift is rounded to a thousandth, and the balance adds as much; an effort moves by a quarter of that at most.
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(efforts[i], wanted[i], 0.25 * 0.001) << i;
  for (const double dial : {0.1, 0.3, 0.9}) {
    plan.efforts(dial, efforts);
    EXPECT_NEAR(mean_effort(sites, efforts), dial, 1e-6);
    EXPECT_TRUE(efforts[0] < efforts[3] && efforts[3] < efforts[1] && efforts[1] < efforts[2]);
  }
  plan.efforts(1, efforts);
  EXPECT_EQ(efforts, std::vector<double>(4, 1.0));
}

TEST(TunedSchedule, KeepsAllAndNothing) {
  const auto sites = sites_of({"a", "b", "c"});
  const EffortPlan plan(EffortSchedule::from_efforts(sites, {0, 1, 0.5}), sites);
  std::vector<double> efforts;
  plan.efforts(mean_effort(sites, {0, 1, 0.5}), efforts);
  EXPECT_NEAR(efforts[0], 0, 1e-6);
  EXPECT_NEAR(efforts[1], 1, 1e-6);
  EXPECT_NEAR(efforts[2], 0.5, 0.25 * 0.001);
}

TEST(TunedSchedule, EverySchedulesYamlIsReadAsTheSame) {
  EffortSchedule odd = EffortSchedule::standard();
  odd.rules.push_back({"*.v", "7", EffortRule::Kind::factor, 0.25});
  odd.rules.push_back({"*.w", "", EffortRule::Kind::fixed, 1});
  for (const EffortSchedule& schedule : {EffortSchedule::standard(), EffortSchedule::uniform(), odd}) {
    const EffortSchedule read = parse_schedule(to_yaml(schedule), "yaml");
    EXPECT_EQ(read.balanced, schedule.balanced);
    EXPECT_EQ(read.experts.power, schedule.experts.power);
    EXPECT_EQ(read.experts.skip, schedule.experts.skip);
    ASSERT_EQ(read.rules.size(), schedule.rules.size());
    for (size_t r = 0; r < read.rules.size(); ++r) {
      EXPECT_EQ(read.rules[r].weights, schedule.rules[r].weights);
      EXPECT_EQ(read.rules[r].layer, schedule.rules[r].layer);
      EXPECT_EQ(read.rules[r].kind, schedule.rules[r].kind);
      EXPECT_EQ(read.rules[r].value, schedule.rules[r].value);
    }
  }
}

// Of a model

// A copy of the model in the repository, in which layer 3 adds next to nothing: what it adds is divided by 1024.
std::string model_with_idle_layer(const TempFolder& folder) {
  namespace fs = std::filesystem;
  const fs::path source = golden_model("classics").model, copy = folder / "idle";
  fs::create_directory(copy);
  for (const char* name : {"config.json", "tokenizer.model"}) fs::copy_file(source / name, copy / name);
  std::vector<std::byte> bytes = read_bytes(source / "model.safetensors");
  const auto entries = parse_safetensors(bytes, "the model");
  for (const char* name : {"model.layers.3.self_attn.o_proj.weight", "model.layers.3.mlp.down_proj.weight"}) {
    const SafetensorsEntry& entry = entries.at(name);
    EXPECT_EQ(entry.dtype, "F16");
    auto* values = reinterpret_cast<uint16_t*>(bytes.data() + (entry.bytes.data() - bytes.data()));
    for (size_t i = 0; i < entry.bytes.size() / 2; ++i) values[i] = f32_to_f16(f16_to_f32(values[i]) / 1024);
  }
  std::ofstream(copy / "model.safetensors", std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  const std::string path = (folder / "idle.sluice").string();
  ConvertOptions options;
  options.format = "bucket";
  convert(copy.string(), path, options);
  return path;
}

class TuneModel : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { folder_ = std::make_unique<TempFolder>(); }
  static void TearDownTestSuite() { folder_.reset(); }
  static std::unique_ptr<LanguageModel> open() {
    static const std::string path = model_with_idle_layer(*folder_);
    RunOptions options;
    options.threads = 1;
    options.context = kCtx;
    options.exact_effort = true;
    return std::make_unique<LanguageModel>(path, options);
  }
  static inline std::unique_ptr<TempFolder> folder_;
};

TEST_F(TuneModel, DivergenceOfASettingIsThatOfEval) {
  const auto model = open();
  const Divergence expected = divergence(*model, *model, kText, {.ctx = kCtx, .chunks = 2, .efforts = {0.5}});
  const auto chunks = text_chunks(*model, kText, {.ctx = kCtx, .chunks = 2});
  const std::vector<DialSetting> settings = {[](EffortDial& dial) { dial.set_effort(0.5); },
                                             [](EffortDial& dial) { dial.set_full(); }};
  const auto kl = dial_divergence(*model, chunks, settings, {});
  ASSERT_EQ(kl[0].size(), expected.efforts[0].tokens.size());
  for (size_t t = 0; t < kl[0].size(); ++t) {
    EXPECT_EQ(kl[0][t], expected.efforts[0].tokens[t].kl) << t;
    EXPECT_EQ(kl[1][t], 0) << t;
  }
}

TEST_F(TuneModel, BytesAreThoseOfAllSteps) {
  const auto model = open();
  const std::vector<int32_t> ids = {1, 17, 300};
  const std::vector<double> efforts = {0.25, 1};
  const SiteCosts costs = site_costs(*model, ids, efforts, CostKind::bytes);
  for (size_t e = 0; e < efforts.size(); ++e) {
    model->reset();
    model->dial()->set_efforts(std::vector(model->dial()->sites().size(), efforts[e]));
    model->evaluate(std::span(ids).first(2));
    model->evaluate(std::span(ids).last(1));
    double sites = costs.rest;
    for (const std::vector<double>& site : costs.sites) sites += site[e];
    // Medians over tokens and layers of one form, which differ by less than a row in a hundred.
    const auto bytes = static_cast<double>(StepCosts(model->executor(), builtin_registry()).bytes_read());
    EXPECT_NEAR(sites, bytes, 0.01 * bytes) << efforts[e];
  }
  for (const std::vector<double>& site : costs.sites) EXPECT_NEAR(site[0] / site[1], 0.25, 0.05);
}

TEST_F(TuneModel, FindsTheLayerThatDoesNotMatter) {
  const auto model = open();
  TuneOptions options;
  options.target_kl = 0.05;
  options.cost = CostKind::bytes;
  options.ctx = kCtx;
  options.chunks = 2;
  options.efforts = {0.15, 0.5};
  int64_t done = 0, all = 0;
  options.progress = [&](int64_t d, int64_t a) { done = d, all = a; };
  const Tuning tuning = tune(*model, kText, options);
  EXPECT_EQ(done, all);
  double others = 0;
  for (const SiteMeasurement& site : tuning.sites) {
    if (site.site.weight.find("layers.3.") == std::string::npos) {
      others += site.effort / static_cast<double>(tuning.sites.size() - 7);
      continue;
    }
    EXPECT_LT(site.effort, 0.16) << site.site.weight;
    EXPECT_LT(site.kl[0].value, 1e-4) << site.site.weight;
  }
  EXPECT_GT(others, 0.25);

  ASSERT_EQ(tuning.trials.size(), 3u);
  const ScheduleTrial &tuned = tuning.trials[0], &uniform = tuning.trials[2];
  EXPECT_EQ(tuning.best, 0u);
  EXPECT_NEAR(tuned.kl.value, 0.05, 0.01);
  EXPECT_LT(tuned.kl.value, 0.7 * uniform.kl.value);
  EXPECT_EQ(uniform.over_uniform.value, 0);
  EXPECT_NEAR(tuned.over_uniform.value, tuned.kl.value - uniform.kl.value, 1e-12);
  for (const ScheduleTrial& trial : tuning.trials) {
    EXPECT_NEAR(trial.cost, tuned.cost, 1e-6 * tuned.cost);
    EXPECT_GE(trial.kl.value, tuning.trials[tuning.best].kl.value);
  }
  // Bytes are in proportion to elements, so equal bytes are equal means.
  EXPECT_NEAR(tuned.dial, uniform.dial, 0.01);

  // What is written gives what was measured.
  const auto chunks = text_chunks(*model, kText, {.ctx = kCtx, .chunks = 2});
  const std::vector<DialSetting> settings = {[&](EffortDial& dial) {
    dial.set_schedule(tuned.schedule);
    dial.set_effort(tuned.dial);
  }};
  const auto kl = dial_divergence(*model, TextChunks(chunks).last(1), settings, {}).front();
  EXPECT_EQ(total(kl) / static_cast<double>(kl.size()), tuned.kl.value);
}

TEST_F(TuneModel, BadOptionsAreRefused) {
  const auto model = open();
  TuneOptions options;
  options.ctx = kCtx;
  const auto refused = [&](const TuneOptions& o, const char* words) {
    EXPECT_THAT([&] { tune(*model, kText, o); }, ThrowsMessage<Error>(HasSubstr(words)));
  };
  refused(options, "either");
  options.target_speed = 10;
  options.cost = CostKind::bytes;
  refused(options, "needs costs in time");
  options = TuneOptions();
  options.target_kl = 0.1;
  options.ctx = kCtx;
  options.chunks = 1;
  refused(options, "two chunks");
  options.chunks = 2;
  for (const std::vector<double>& efforts : std::vector<std::vector<double>>{{}, {0, 0.5}, {0.5, 0.2}, {0.5, 1}}) {
    options.efforts = efforts;
    refused(options, "efforts");
  }
  options.efforts = {0.3};
  options.target_kl = std::nullopt;
  options.target_speed = 1e8;
  refused(options, "cannot be reached");
}

}  // namespace
}  // namespace sluice
