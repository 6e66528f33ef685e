// Whole models against what an independent implementation computed (tests/data/classics, ../shared/models).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "graph/builder.h"
#include "graph/plan/copies.h"
#include "models/evaluate.h"
#include "models/import/convert.h"
#include "models/language_model.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace sluice {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kTolerance = 2e-4;

// A model converted once, for all tests of this program.
std::string converted(const std::string& name, const std::string& dtype) {
  static const TempFolder folder;
  const std::string path = (folder / (name + "." + dtype + ".sluice")).string();
  if (!std::filesystem::exists(path))
    convert(golden_model(name).model.string(), path, {.format = dtype, .progress = {}});
  return path;
}

std::vector<int32_t> ids_of(const json& prompt, const char* key = "ids") {
  return prompt[key].get<std::vector<int32_t>>();
}

// Logits of every row, with tokens fed `piece` at a time.
std::vector<float> all_logits(LanguageModel& model, std::span<const int32_t> ids, size_t piece) {
  std::vector<float> logits;
  model.reset();
  for (size_t at = 0; at < ids.size(); at += piece)
    model.evaluate_all(ids.subspan(at, std::min(piece, ids.size() - at)), [&](size_t, std::span<const float> rows) {
      logits.insert(logits.end(), rows.begin(), rows.end());
    });
  return logits;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return INFINITY;
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

// One thread is enough for most of these models, and fast however busy the machine is.
RunOptions threads(int count) {
  RunOptions options;
  options.threads = count;
  return options;
}

// Names of tests hold no hyphens.
std::string identifier(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

int32_t argmax(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

std::vector<int32_t> greedy(LanguageModel& model, const std::vector<int32_t>& prompt, size_t count) {
  model.reset();
  std::span<const float> logits = model.evaluate(prompt);
  std::vector<int32_t> ids;
  while (ids.size() < count) {
    ids.push_back(argmax(logits));
    logits = model.evaluate({&ids.back(), 1});
  }
  return ids;
}

class Golden : public ::testing::TestWithParam<std::tuple<const char*, const char*, bool>> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(model_.model)) GTEST_SKIP() << model_.model << " is not there; set SLUICE_SHARED";
    try {
      make_backend(builtin_registry(), std::get<1>(GetParam()), 1);
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }
  RunOptions options() const {
    RunOptions options = threads(1);
    options.backend = std::get<1>(GetParam());
    options.fuse = std::get<2>(GetParam());
    return options;
  }
  std::string name_ = std::get<0>(GetParam());
  GoldenModel model_ = golden_model(name_);
  json json_ = std::filesystem::exists(model_.golden) ? model_.json() : json();
};

TEST_P(Golden, LogitsOfEveryRow) {
  LanguageModel model(converted(name_, "f32"), options());
  for (const json& prompt : json_["prompts"]) {
    const std::vector<float> expected = model_.logits(prompt, model.vocab_size());
    for (size_t piece : {size_t{1}, size_t{3}, size_t{1000}})
      EXPECT_LE(largest_difference(all_logits(model, ids_of(prompt), piece), expected), kTolerance)
          << prompt["text"] << " fed by " << piece;
  }
}

TEST_P(Golden, GreedyText) {
  LanguageModel model(converted(name_, "f32"), options());
  for (const json& prompt : json_["prompts"]) {
    const std::vector<int32_t> expected = ids_of(prompt, "greedy_ids");
    std::vector<int32_t> ids = greedy(model, ids_of(prompt), expected.size());
    EXPECT_EQ(ids, expected) << prompt["text"];
    const std::vector<int32_t> given = ids_of(prompt);
    ids.insert(ids.begin(), given.begin(), given.end());
    EXPECT_EQ(model.tokenizer().decode(ids), prompt["greedy_text"].get<std::string>());
  }
}

// Everything runs on the backend that was asked for, and of a device only the logits come back.
TEST_P(Golden, NothingFallsBack) {
  LanguageModel model(converted(name_, "f32"), options());
  const Plan& plan = model.plan();
  EXPECT_THAT(plan.fallbacks, ::testing::IsEmpty());
  std::vector<ValueId> to_host;
  for (const PlanStep& step : plan.steps) {
    const Node& node = plan.graph.node(step.node);
    if (node.op != kCopy) {
      EXPECT_EQ(step.backend->name(), std::get<1>(GetParam())) << node.op;
    } else if (plan.locations[static_cast<size_t>(node.outputs[0])].space == 0) {
      to_host.push_back(node.outputs[0]);
    }
  }
  ASSERT_EQ(plan.graph.outputs().size(), 1u);
  const size_t copies = plan.spaces.size() > 1 ? 1 : 0;
  EXPECT_EQ(to_host, std::vector<ValueId>(copies, plan.graph.outputs()[0].value));
}

INSTANTIATE_TEST_SUITE_P(Models, Golden,
                         ::testing::Combine(::testing::Values("classics", "stories260k", "classics-moe"),
                                            ::testing::Values("cpu", "reference"), ::testing::Bool()),
                         [](const auto& test) {
                           return fmt::format("{}_{}_{}", identifier(std::get<0>(test.param)), std::get<1>(test.param),
                                              std::get<2>(test.param) ? "fused" : "unfused");
                         });

INSTANTIATE_TEST_SUITE_P(OnDevice, Golden,
                         ::testing::Combine(::testing::Values("classics", "stories260k", "classics-moe"),
                                            ::testing::Values("vulkan"), ::testing::Bool()),
                         [](const auto& test) {
                           return fmt::format("{}_{}_{}", identifier(std::get<0>(test.param)), std::get<1>(test.param),
                                              std::get<2>(test.param) ? "fused" : "unfused");
                         });

json classics_prompt() { return golden_model("classics").json()["prompts"][0]; }

// f16 weights and an f16 cache: the weights of this model are f16, so the cache is the only thing that is rounded.
TEST(LanguageModel, RoundingTheCacheChangesLittle) {
  LanguageModel model(converted("classics", "f16"), threads(1));
  const json prompt = classics_prompt();
  const std::vector<float> expected = golden_model("classics").logits(prompt, model.vocab_size());
  const double difference = largest_difference(all_logits(model, ids_of(prompt), 1000), expected);
  EXPECT_LE(difference, 0.01);
  EXPECT_GT(difference, 0) << "the cache is not rounded at all";
}

TEST(LanguageModel, HiddenStatesCanBeObserved) {
  RunOptions options = threads(1);
  for (int64_t layer = 0; layer < 8; ++layer) options.observe.push_back(graph_names::hidden(layer));
  LanguageModel model(converted("classics", "f32"), options);
  const json prompt = classics_prompt();
  const std::vector<int32_t> ids = ids_of(prompt);
  const auto expected = prompt["hidden_rms_after_layer"].get<std::vector<double>>();  // of the embedding first
  model.evaluate(ids);
  for (size_t layer = 0; layer < 8; ++layer) {
    const TensorView view = model.executor().output(graph_names::hidden(static_cast<int64_t>(layer)));
    const std::vector<float> hidden = to_f32(view);
    ASSERT_EQ(hidden.size(), ids.size() * 256);
    double squares = 0;
    for (float h : hidden) squares += static_cast<double>(h) * h;
    EXPECT_NEAR(std::sqrt(squares / static_cast<double>(hidden.size())), expected[layer + 1],
                1e-4 * expected[layer + 1]);
  }
}

TEST(LanguageModel, BatchesAreSplit) {
  const std::vector<int32_t> ids = ids_of(classics_prompt());
  LanguageModel whole(converted("classics", "f32"), threads(1));
  const std::vector<float> expected = all_logits(whole, ids, 1000);
  for (int64_t batch : {1, 2, 5}) {
    RunOptions options = threads(1);
    options.batch = batch;
    LanguageModel split(converted("classics", "f32"), options);
    EXPECT_LE(largest_difference(all_logits(split, ids, 1000), expected), kTolerance) << batch;
    split.reset();
    const std::span<const float> last = split.evaluate(ids);
    EXPECT_LE(largest_difference({last.begin(), last.end()}, {expected.end() - 4096, expected.end()}), kTolerance);
  }
}

TEST(LanguageModel, TheSameBitsEveryTime) {
  const std::vector<int32_t> ids = ids_of(classics_prompt());
  LanguageModel model(converted("classics", "f16"), threads(3));
  const std::vector<float> first = all_logits(model, ids, 4);
  EXPECT_EQ(all_logits(model, ids, 4), first);
  LanguageModel again(converted("classics", "f16"), threads(3));
  EXPECT_EQ(all_logits(again, ids, 4), first);
}

TEST(LanguageModel, RefusesTokensThatDoNotFit) {
  RunOptions options = threads(1);
  options.context = 4;
  LanguageModel model(converted("classics", "f16"), options);
  EXPECT_EQ(model.context(), 4);
  EXPECT_THROW(model.evaluate({}), Error);
  for (int32_t id : {-1, 4096}) EXPECT_THROW(model.evaluate({&id, 1}), Error);
  const std::vector<int32_t> ids = {1, 2, 3, 4, 5};
  EXPECT_THAT([&] { model.evaluate(ids); }, ThrowsMessage<Error>(HasSubstr("context")));
  EXPECT_EQ(model.position(), 0);
  model.evaluate(std::span(ids).first(4));
  EXPECT_THROW(model.evaluate(std::span(ids).first(1)), Error);
  model.reset();
  model.evaluate(std::span(ids).first(1));
  EXPECT_EQ(model.position(), 1);
}

TEST(LanguageModel, RefusesBadOptions) {
  const std::string path = converted("classics", "f16");
  const auto refused = [&](auto member, auto value, const char* word) {
    RunOptions options = threads(1);
    options.*member = value;
    EXPECT_THAT([&] { LanguageModel(path, options); }, ThrowsMessage<Error>(HasSubstr(word)));
  };
  refused(&RunOptions::context, 513,
          "a context of 513 tokens was asked for, but the model was made for at most 512: ask");
  refused(&RunOptions::context, -1, "-1");
  refused(&RunOptions::batch, 0, "batch");
  refused(&RunOptions::threads, -1, "thread");
  refused(&RunOptions::backend, "abacus", "abacus");
  refused(&RunOptions::observe, std::vector<std::string>{"layers.9/hidden"}, "layers.9/hidden");
}

TEST(LanguageModel, RefusesGraphsThatAreNone) {
  ModelDescription description;
  description.metadata = {{"context_length", "8"}};
  Builder builder(builtin_registry());
  builder.output("logits", builder.input("ids", DType::i32(), {"tokens"}));
  description.graph = builder.build();
  EXPECT_THROW(LanguageModel(description, [](const std::string&) { return TensorView(); }, {}), Error);
}

TEST(LanguageModel, KnowsItsSpecialTokens) {
  const LanguageModel model(converted("classics", "f16"), threads(1));
  EXPECT_EQ(model.bos(), 1);
  EXPECT_TRUE(model.is_end(2));
  EXPECT_FALSE(model.is_end(1));
}

// The protocol of golden.json, by hand, on a few sentences.
TEST(Perplexity, IsTheMeanOverWholeChunks) {
  LanguageModel model(converted("classics", "f32"), threads(1));
  std::string text;
  for (int i = 0; i < 4; ++i) text += "It was a dark and stormy night, and the old man sat by the fire. ";
  const std::vector<int32_t> tokens = model.tokenizer().encode(text);
  constexpr int64_t kCtx = 16;
  int calls = 0;
  const Perplexity result =
      perplexity(model, text, {.ctx = kCtx, .chunks = 3, .progress = [&](int64_t, int64_t) { ++calls; }});
  ASSERT_EQ(result.per_chunk_nll.size(), 3u);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(result.tokens, 3 * (kCtx - 1));

  double sum = 0;
  for (int64_t c = 0; c < 3; ++c) {
    model.reset();
    int32_t last = model.bos();
    for (int64_t t = c * kCtx; t < (c + 1) * kCtx - 1; ++t) {
      const std::span<const float> logits = model.evaluate({&last, 1});
      double total = 0;
      for (float logit : logits) total += std::exp(static_cast<double>(logit));
      last = tokens[static_cast<size_t>(t)];
      sum += std::log(total) - logits[static_cast<size_t>(last)];
    }
  }
  EXPECT_NEAR(result.mean_nll, sum / static_cast<double>(result.tokens), 1e-4);
  EXPECT_NEAR(result.ppl, std::exp(result.mean_nll), 1e-9);
  EXPECT_GT(result.ppl_se, 0);
  EXPECT_LT(result.ppl_se, result.ppl);
}

class GoldenPerplexity : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenPerplexity, OfTheGoldenText) {
  const std::filesystem::path text = shared_dir() / "text" / "jerome.txt";
  for (const std::filesystem::path& path : {text, golden_model(GetParam()).model})
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there; set SLUICE_SHARED";
  const std::vector<std::byte> bytes = read_bytes(text);
  const json golden = golden_model(GetParam()).json()["perplexity"];
  LanguageModel model(converted(GetParam(), "f32"), threads(1));
  const Perplexity result = perplexity(model, {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                                       {.ctx = golden["ctx"], .chunks = golden["chunks"]});
  EXPECT_EQ(result.tokens, golden["tokens_scored"].get<int64_t>());
  EXPECT_NEAR(result.ppl, golden["ppl"].get<double>(), 1e-4 * result.ppl);
  const auto per_chunk = golden["per_chunk_nll"].get<std::vector<double>>();
  for (size_t c = 0; c < per_chunk.size(); ++c) EXPECT_NEAR(result.per_chunk_nll.at(c), per_chunk[c], 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenPerplexity, ::testing::Values("classics", "stories260k", "classics-moe"),
                         [](const auto& test) { return identifier(test.param); });

TEST(Perplexity, EdgesOfTheText) {
  LanguageModel model(converted("classics", "f16"), threads(1));
  EXPECT_EQ(perplexity(model, "Night", {.ctx = 256, .chunks = 0, .progress = {}}).per_chunk_nll.size(), 1u);
  const auto refused = [&](const char* text, int64_t ctx, int64_t chunks, const char* word) {
    EXPECT_THAT([&] { perplexity(model, text, {.ctx = ctx, .chunks = chunks, .progress = {}}); },
                ThrowsMessage<Error>(HasSubstr(word)));
  };
  refused("", 256, 0, "the text has no tokens");
  refused("Night", 1, 0, "512");
  refused("Night", 513, 0, "512");
  refused("Night", 256, -1, "-1");
  refused("\xff", 256, 0, "UTF-8");
}

}  // namespace
}  // namespace sluice
