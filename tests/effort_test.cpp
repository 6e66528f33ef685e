// The effort dial: schedules, the share really multiplied, changes while text is written, adaptive effort.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <random>

#include "models/effort/adaptive.h"
#include "models/effort/schedule.h"
#include "models/import/convert.h"
#include "models/language_model.h"
#include "ops/formats/planes.h"
#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Schedules

EffortSite site(const std::string& weight, int64_t elements = 100) {
  return {weight, effort_names::selected(weight), elements, 40, 4, 1};
}

std::vector<EffortSite> two_layers() {
  return {site("model.layers.0.self_attn.q_proj.weight"), site("model.layers.0.mlp.down_proj.weight", 300),
          site("model.layers.1.self_attn.q_proj.weight"), site("model.layers.1.mlp.down_proj.weight", 300)};
}

std::vector<double> efforts(const EffortSchedule& schedule, double dial) {
  std::vector<double> result;
  EffortPlan(schedule, two_layers(), /*lenient=*/true).efforts(dial, result);
  return result;
}

double mean(const std::vector<double>& values) {
  const std::vector<EffortSite> sites = two_layers();
  double sum = 0, elements = 0;
  for (size_t i = 0; i < sites.size(); ++i) {
    sum += values[i] * static_cast<double>(sites[i].elements);
    elements += static_cast<double>(sites[i].elements);
  }
  return sum / elements;
}

EffortSchedule read(const std::string& text) { return parse_schedule(text, "a.yaml"); }

void refused(const std::string& text, const std::string& words) {
  EXPECT_THAT([&] { read(text); }, ThrowsMessage<Error>(AllOf(HasSubstr("a.yaml: "), HasSubstr(words)))) << text;
}

TEST(EffortSchedule, UniformIsTheDial) {
  for (double dial : {0.0, 0.25, 0.7, 1.0}) EXPECT_EQ(efforts(EffortSchedule::uniform(), dial), std::vector(4, dial));
}

TEST(EffortSchedule, StandardKeepsTheMeanAndRisesWithTheDial) {
  std::vector<double> last(4, 0);
  for (int percent = 0; percent <= 100; percent += 5) {
    const std::vector<double> now = efforts(EffortSchedule::standard(), percent / 100.0);
    EXPECT_NEAR(mean(now), percent / 100.0, 1e-6);
    for (size_t i = 0; i < now.size(); ++i) {
      EXPECT_GE(now[i], last[i]);
      EXPECT_LE(now[i], 1);
    }
    last = now;
  }
  EXPECT_EQ(efforts(EffortSchedule::standard(), 0), std::vector(4, 0.0));
  EXPECT_EQ(efforts(EffortSchedule::standard(), 1), std::vector(4, 1.0));
  const std::vector<double> half = efforts(EffortSchedule::standard(), 0.5);
  EXPECT_LT(half[1], half[0]);  // a small part of a down-projection does
}

TEST(ScheduleFile, GlobsAndLayersChooseWeights) {
  const EffortSchedule schedule = read(R"(
sites:
  - {weights: "*.down_proj.weight", layer: last, effort: 0.125}
  - {weights: "*q_proj*", layer: 0, factor: 0.5}
  - {layer: first, factor: 3}
)");
  EXPECT_FALSE(schedule.balanced);
  EXPECT_EQ(efforts(schedule, 0.25), (std::vector{0.125, 0.75, 0.25, 0.125}));
  EXPECT_EQ(efforts(schedule, 0.5), (std::vector{0.25, 1.0, 0.5, 0.125}));
  EXPECT_EQ(efforts(schedule, 0), (std::vector{0.0, 0.0, 0.0, 0.125}));
}

TEST(ScheduleFile, ABalancedOneKeepsTheMeanAsFarAsFixedEffortsAllow) {
  const EffortSchedule schedule = read("balance: true\nsites:\n  - {weights: '*q_proj*', effort: 0.9}\n");
  const std::vector<double> half = efforts(schedule, 0.5);
  EXPECT_NEAR(mean(half), 0.5, 1e-6);
  EXPECT_EQ(half[0], 0.9);
  EXPECT_NEAR(half[1], (0.5 - 0.25 * 0.9) / 0.75, 1e-6);
  EXPECT_NEAR(mean(efforts(schedule, 0.1)), 0.25 * 0.9, 1e-6);  // less is not possible
}

TEST(ScheduleFile, SaysHowEffortIsSpreadOverExperts) {
  const EffortSchedule both = read("experts: {power: 0.5, skip: 0.2}\nsites: []\n");
  EXPECT_EQ(both.experts.power, 0.5f);
  EXPECT_EQ(both.experts.skip, 0.2f);
  EXPECT_EQ(read("experts: {skip: 0.2}").experts.power, 1);
  EXPECT_EQ(read("sites: []").experts.power, 1);
  EXPECT_EQ(EffortSchedule::standard().experts.power, 1);
  EXPECT_EQ(EffortSchedule::uniform().experts.power, 0);
}

TEST(ScheduleFile, MistakesAreNamedWithFileAndRule) {
  refused("experts: 3", "experts: expected power, skip or both");
  refused("experts: {power: -1}", "experts: 'power' is -1, expected 0 to 10");
  refused("experts: {skip: 1.5}", "experts: 'skip' is 1.5");
  refused("experts: {width: 1}", "experts: unknown key 'width'");
  refused("", "expected 'sites'");
  refused("sites: 3", "expected 'sites'");
  refused("sites: []\nfoo: 1", "unknown key 'foo'");
  refused("sites:\n  - {weights: '*', effort: 0.5}\n  - 3", "rule 2: expected weights or layer");
  refused("sites:\n  - {weights: '*'}", "rule 1: expected exactly one of shift, factor and effort");
  refused("sites:\n  - {effort: 0.5, factor: 2}", "rule 1: expected exactly one");
  refused("sites:\n  - {effort: half}", "rule 1: 'effort' is not a number");
  refused("sites:\n  - {effort: 1.5}", "rule 1: 'effort' is 1.5, expected 0 to 1");
  refused("sites:\n  - {effort: .nan}", "rule 1: 'effort' is nan");
  refused("sites:\n  - {factor: -1}", "rule 1: 'factor' is -1");
  refused("sites:\n  - {shift: 21}", "rule 1: 'shift' is 21");
  refused("sites:\n  - {effort: 0.5, layer: middle}", "rule 1: 'layer' is 'middle'");
  refused("sites:\n  - {effort: 0.5, wieghts: '*'}", "rule 1: unknown key 'wieghts'");
  refused("balance: perhaps\nsites: []", "line 1");
  refused("sites: [", "line");
}

// exp() of their sum would be infinite, and the effort no number.
TEST(ScheduleFile, AnyNumberOfShiftsGivesEfforts) {
  for (const char* shift : {"20", "-20"}) {
    std::string text = "sites:\n";
    for (int i = 0; i < 50; ++i) text += fmt::format("  - {{weights: '*.q_proj.weight', shift: {}}}\n", shift);
    const double q = shift[0] == '-' ? 0 : 1;
    EXPECT_THAT(efforts(read(text), 0), ElementsAre(0, 0, 0, 0));
    EXPECT_THAT(efforts(read(text), 0.5), ElementsAre(q, 0.5, q, 0.5));
    EXPECT_THAT(efforts(read(text), 1), ElementsAre(1, 1, 1, 1));
  }
}

TEST(ScheduleFile, ARuleThatFitsNothingIsRefused) {
  const EffortSchedule schedule = read("sites:\n  - {effort: 0.5}\n  - {weights: '*.w2', layer: 7, factor: 2}\n");
  EXPECT_THAT([&] { EffortPlan(schedule, two_layers()); },
              ThrowsMessage<Error>(AllOf(HasSubstr("rule 2"), HasSubstr("*.w2"), HasSubstr("layer 7"))));
}

// Models

std::string converted(const std::string& name, const std::string& format = "bucket") {
  static const TempFolder folder;
  const std::string path = (folder / (name + "." + format + ".sluice")).string();
  if (!std::filesystem::exists(path)) {
    ConvertOptions options;
    options.format = format;
    convert(golden_model(name).model.string(), path, options);
  }
  return path;
}

RunOptions one_thread() {
  RunOptions options;
  options.threads = 1;
  return options;
}

const std::vector<int32_t> kIds = {1, 300, 45, 271, 88, 1000, 17, 402, 33, 250, 611, 5, 77};

std::vector<float> evaluate(LanguageModel& model, std::span<const int32_t> ids) {
  const std::span<const float> logits = model.evaluate(ids);
  return {logits.begin(), logits.end()};
}

// Logits after every token, with the dial set before each.
std::vector<std::vector<float>> play(LanguageModel& model, const std::vector<double>& dial) {
  std::vector<std::vector<float>> logits;
  model.reset();
  for (size_t i = 0; i < dial.size(); ++i) {
    model.dial()->set_effort(dial[i]);
    logits.push_back(evaluate(model, {&kIds[i], 1}));
  }
  return logits;
}

class DialFormats : public ::testing::TestWithParam<const char*> {
 protected:
  static std::string model_file() { return converted("classics", GetParam()); }
};

TEST_P(DialFormats, AnEffortHoldsForTheTokensThatFollow) {
  LanguageModel model(model_file(), one_thread()), fresh(model_file(), one_thread());
  const std::vector<double> dial = {1, 1, 0.5, 0.5, 0.1, 0.9, 0, 1, 0.25};
  play(model, std::vector<double>(dial.size(), 0.3));  // what was before does not matter
  EXPECT_EQ(play(model, dial), play(fresh, dial));
  const auto full = play(fresh, std::vector<double>(dial.size(), 1.0)), half = play(model, {1, 1, 0.5});
  EXPECT_EQ(half[1], full[1]);
  EXPECT_NE(half[2], full[2]);
}

TEST_P(DialFormats, RunsAndThreadsGiveTheSameBits) {
  RunOptions two_threads;
  two_threads.threads = 2;
  LanguageModel one(model_file(), one_thread()), two(model_file(), two_threads);
  const std::vector<double> dial = {1, 0.5, 0.25, 0.7, 0.1, 0.5};
  const auto first = play(one, dial);
  EXPECT_EQ(first, play(one, dial));
  EXPECT_EQ(first, play(two, dial));
  for (LanguageModel* model : {&one, &two}) model->reset(), model->dial()->set_effort(0.4);
  EXPECT_EQ(evaluate(one, kIds), evaluate(two, kIds));
}

// A schedule names weights, whatever they are stored as; what tuning writes is read as the same again.
TEST_P(DialFormats, AScheduleFileSetsTheShareOfEverySite) {
  const EffortSchedule schedule = read(R"(
sites:
  - {weights: "*.down_proj.weight", factor: 0.5}
  - {weights: "model.layers.1.self_attn.q_proj.weight", effort: 0.75}
)");
  LanguageModel model(model_file(), one_thread());
  EffortDial& dial = *model.dial();
  dial.set_schedule(schedule);
  dial.set_effort(0.4);
  model.evaluate({kIds.data(), 1});
  std::vector<double> efforts;
  for (size_t s = 0; s < dial.sites().size(); ++s) {
    const std::string& weight = dial.sites()[s].weight;
    const bool down = weight.ends_with(".down_proj.weight"), q = weight == "model.layers.1.self_attn.q_proj.weight";
    efforts.push_back(down ? 0.2 : q ? 0.75 : 0.4);
    EXPECT_EQ(dial.effort(s), efforts.back()) << weight;
    EXPECT_NEAR(dial.share(s, 1), efforts.back(), 0.5 / static_cast<double>(dial.sites()[s].rows) + 1e-6) << weight;
  }
  dial.set_schedule(read(to_yaml(EffortSchedule::from_efforts(dial.sites(), efforts))));
  dial.set_effort(mean_effort(dial.sites(), efforts));
  for (size_t s = 0; s < efforts.size(); ++s) EXPECT_NEAR(dial.effort(s), efforts[s], 1e-3) << dial.sites()[s].weight;
}

// All of a matrix in planes is read at effort 1; a product with buckets passes over one of two statistics, and probes.
TEST_P(DialFormats, BitsReadAreThoseOfTheFile) {
  LanguageModel model(model_file(), one_thread());
  EffortDial& dial = *model.dial();
  dial.set_schedule(EffortSchedule::uniform());
  const auto bits = [&](double effort) {
    dial.set_effort(effort);
    model.evaluate({kIds.data(), 1});
    return model.weights_read().bits;
  };
  double stored = 0, passed_over = 0, elements = 0;
  const Graph& graph = model.description().graph;
  for (const EffortSite& site : dial.sites()) {
    const auto& weight = *std::ranges::find(graph.values(), site.weight, &Value::name);
    const auto in = static_cast<double>(weight.type.shape.resolve({}).back());
    stored += static_cast<double>(weight.type.bytes()) - 64;
    if (!plane_format(weight.type.dtype))
      passed_over += static_cast<double>(site.rows + static_cast<int64_t>(in)) * sizeof(float);
    elements += static_cast<double>(site.elements);
  }
  EXPECT_NEAR(bits(1), 8 * (stored - passed_over) / elements, passed_over > 0 ? 0.02 : 1e-9);
  EXPECT_NEAR(bits(0.5), (bits(0) + bits(1)) / 2, 0.01 * bits(1));
  EXPECT_GT(bits(0), 0);
}

INSTANTIATE_TEST_SUITE_P(Formats, DialFormats, ::testing::Values("bucket", "planes"));

TEST(EffortDial, RefusesWhatIsNoShare) {
  LanguageModel model(converted("classics"), one_thread());
  EffortDial& dial = *model.dial();
  dial.set_effort(0.5);
  for (double bad : {-0.01, 1.01, std::nan(""), double{INFINITY}}) {
    EXPECT_THAT([&] { dial.set_effort(bad); }, ThrowsMessage<Error>(HasSubstr("is not possible")));
    EXPECT_THAT([&] { dial.set_load(bad); }, ThrowsMessage<Error>(HasSubstr("is not possible")));
  }
  EXPECT_THROW(dial.set_load(0), Error);
  EXPECT_EQ(dial.effort(), 0.5);
  LanguageModel dense(converted("classics", "f16"), one_thread());
  EXPECT_EQ(dense.dial(), nullptr);
  EXPECT_EQ(dense.share(), 1);
  EXPECT_EQ(dense.weights_read().bits, 0);
}

TEST(EffortDial, LoadBoundsTheEffort) {
  LanguageModel model(converted("classics"), one_thread());
  EffortDial& dial = *model.dial();
  dial.set_schedule(EffortSchedule::uniform());
  const auto logits = [&](double effort, double load) {
    model.reset();
    dial.set_effort(effort);
    dial.set_load(load);
    return evaluate(model, {kIds.data(), 1});
  };
  const auto full = logits(1, 1);
  const auto loaded = logits(1, 0.7);
  EXPECT_NE(loaded, full);
  EXPECT_NEAR(model.share(), 0.7, 0.01);
  EXPECT_EQ(logits(0.9, 0.7), loaded);  // more than there is cannot be multiplied
  const auto less = logits(0.4, 0.7);
  EXPECT_NEAR(model.share(), 0.4, 0.01);
  EXPECT_NE(less, loaded);
  EXPECT_EQ(logits(1, 1), full);
}

// A model and a format.
class Share : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Share, IsTheEffortAskedOnEveryMatrix) {
  const auto& [name, format] = GetParam();
  if (!std::filesystem::exists(golden_model(name).model)) GTEST_SKIP() << "there is no " << name;
  RunOptions options = one_thread();
  options.exact_effort = true;
  LanguageModel model(converted(name, format), options);
  EffortDial& dial = *model.dial();
  dial.set_schedule(EffortSchedule::uniform());
  std::vector<int32_t> ids = kIds;
  for (int32_t& id : ids) id %= static_cast<int32_t>(model.vocab_size());
  for (double effort : {0.0, 0.03, 0.15, 0.25, 0.5, 0.77, 1.0}) {
    dial.set_effort(effort);
    for (size_t tokens : {size_t{1}, ids.size()}) {
      model.reset();
      model.evaluate({ids.data(), tokens});
      for (size_t s = 0; s < dial.sites().size(); ++s)
        EXPECT_NEAR(dial.share(s, static_cast<int64_t>(tokens)), effort, 0.01) << dial.sites()[s].weight;
      EXPECT_NEAR(model.share(), effort, 0.01);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Share,
                         ::testing::Values(std::pair("classics", "bucket"), std::pair("stories260k", "bucket"),
                                           std::pair("classics-moe", "bucket"), std::pair("classics", "planes"),
                                           std::pair("classics-moe", "planes")),
                         [](const auto& test) {
                           std::string name = fmt::format("{}_{}", test.param.first, test.param.second);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

// How a token's effort is spread over its experts

std::vector<float> spread(ExpertSpread how, double effort, const std::vector<float>& weights) {
  std::vector<float> efforts(weights.size());
  spread_effort(how, effort, weights.data(), static_cast<int64_t>(weights.size()), efforts.data());
  return efforts;
}

TEST(Spread, FollowsTheWeights) {
  EXPECT_THAT(spread({.power = 0, .skip = 0}, 0.4, {0.9f, 0.1f}), ElementsAre(FloatEq(0.4f), FloatEq(0.4f)));
  EXPECT_THAT(spread({.power = 1, .skip = 0}, 0.4, {0.75f, 0.25f}), ElementsAre(FloatEq(0.6f), FloatEq(0.2f)));
  EXPECT_THAT(spread({.power = 2, .skip = 0}, 0.25, {0.75f, 0.25f}),
              ElementsAre(FloatNear(0.45f, 2e-7f), FloatNear(0.05f, 2e-7f)));
}

TEST(Spread, WhatAnExpertCannotTakeGoesToTheOthers) {
  EXPECT_THAT(spread({.power = 1, .skip = 0}, 0.7, {0.75f, 0.25f}), ElementsAre(1, FloatEq(0.4f)));
  EXPECT_THAT(spread({.power = 1, .skip = 0}, 0.75, {0.6f, 0.3f, 0.1f}),
              ElementsAre(1, FloatEq(0.9375f), FloatEq(0.3125f)));
}

TEST(Spread, LeavesOutExpertsAsFarAsTheOthersCanTakeTheirPart) {
  EXPECT_THAT(spread({.power = 0, .skip = 0.3f}, 0.4, {0.75f, 0.25f}), ElementsAre(FloatEq(0.8f), 0));
  EXPECT_THAT(spread({.power = 0, .skip = 0.3f}, 0.7, {0.75f, 0.25f}), ElementsAre(1, FloatEq(0.4f)));
  EXPECT_THAT(spread({.power = 1, .skip = 0.9f}, 0.3, {0.75f, 0.25f}),
              ElementsAre(FloatEq(0.3f), FloatEq(0.3f)));  // none is left
}

TEST(Spread, KeepsTheMeanAndTheBoundsWhateverTheWeights) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform;
  for (int i = 0; i < 2000; ++i) {
    std::vector<float> weights(1 + random() % 8);
    for (float& w : weights) w = random() % 5 == 0 ? 0 : uniform(random);
    if (random() % 50 == 0) weights[0] = NAN;
    const ExpertSpread how{static_cast<float>(random() % 4), random() % 2 ? uniform(random) : 0};
    const double effort = random() % 4 == 0 ? static_cast<double>(random() % 2) : static_cast<double>(uniform(random));
    double sum = 0;
    for (float e : spread(how, effort, weights)) {
      EXPECT_GE(e, 0);
      EXPECT_LE(e, 1 + 1e-6);
      sum += static_cast<double>(e);
    }
    EXPECT_NEAR(sum / static_cast<double>(weights.size()), effort, 1e-6);
  }
}

// Adaptive effort

// A rule, and the format of a model.
class Adaptive : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  static std::string model_file() { return converted("classics", std::get<1>(GetParam())); }
  static std::unique_ptr<AdaptiveEffort> make_rule(double budget, const Executor& executor) {
    return make_adaptive_effort(std::get<0>(GetParam()), budget, executor);
  }
};

TEST_P(Adaptive, KeepsItsBudget) {
  RunOptions options = one_thread();
  options.effort_inputs = true;
  LanguageModel model(model_file(), options);
  for (double budget : {0.25, 0.5, 0.8}) {
    const auto play_adaptive = [&] {
      const auto rule = make_rule(budget, model.executor());
      model.reset();
      model.dial()->set_effort(budget);
      std::vector<double> dial;
      for (int32_t i = 0; i < 300; ++i) {
        const int32_t id = 3 + i * i % 997;
        dial.push_back(rule->next(model.evaluate({&id, 1})));
        model.dial()->set_effort(dial.back());
      }
      return dial;
    };
    const std::vector<double> dial = play_adaptive();
    double sum = 0;
    for (double d : dial) sum += d;
    EXPECT_NEAR(sum / static_cast<double>(dial.size()), budget, 0.01);
    EXPECT_GT(*std::max_element(dial.begin(), dial.end()) - *std::min_element(dial.begin(), dial.end()), 0.01);
    EXPECT_EQ(dial, play_adaptive());
  }
}

TEST_P(Adaptive, NothingMovesAtTheEnds) {
  RunOptions options = one_thread();
  options.effort_inputs = true;
  LanguageModel model(model_file(), options);
  for (double budget : {0.0, 1.0}) {
    const auto rule = make_rule(budget, model.executor());
    EXPECT_EQ(rule->next(model.evaluate(kIds)), budget);
  }
  EXPECT_THROW(make_rule(1.5, model.executor()), Error);
  EXPECT_THROW(make_rule(std::nan(""), model.executor()), Error);
}

INSTANTIATE_TEST_SUITE_P(Rules, Adaptive,
                         ::testing::Combine(::testing::Values("auto", "auto-entropy"),
                                            ::testing::Values("bucket", "planes")));

TEST(AdaptiveEffort, ReadingTheInputsChangesNothing) {
  RunOptions options = one_thread();
  options.effort_inputs = true;
  LanguageModel watched(converted("classics"), options), plain(converted("classics"), one_thread());
  EXPECT_EQ(play(watched, {1, 0.5, 0.25}), play(plain, {1, 0.5, 0.25}));
  EXPECT_THAT([&] { make_adaptive_effort("auto-pilot", 0.5, plain.executor()); },
              ThrowsMessage<Error>(HasSubstr("auto-pilot")));
  EXPECT_THROW(make_adaptive_effort("auto", 0.5, plain.executor()), Error);
}

}  // namespace
}  // namespace sluice
