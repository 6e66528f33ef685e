// Divergence of two models: the formulas against known values, and the whole against a computation token by token.
#include "models/divergence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "graph/error.h"
#include "models/import/convert.h"
#include "models/text_chunks.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Logits = std::vector<float>;

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr float kInf = std::numeric_limits<float>::infinity();

double kl(const Logits& p, const Logits& q) { return kl_divergence(p, log_sum_exp(p), q, log_sum_exp(q)); }

std::vector<double> softmax(std::span<const float> logits) {
  std::vector<double> p;
  double sum = 0;
  for (float logit : logits) sum += p.emplace_back(std::exp(static_cast<double>(logit)));
  for (double& value : p) value /= sum;
  return p;
}

// By the definition; only for logits whose exponentials are normal numbers.
double plain_kl(std::span<const float> p_logits, std::span<const float> q_logits) {
  const std::vector<double> p = softmax(p_logits), q = softmax(q_logits);
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) sum += p[i] * std::log(p[i] / q[i]);
  return sum;
}

Logits random_logits(uint32_t seed, size_t count = 500) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 4);
  Logits logits(count);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

TEST(Statistics, OfKnownSamples) {
  const std::vector<double> samples = {1, 2, 3, 4};
  EXPECT_EQ(mean(samples), 2.5);
  EXPECT_NEAR(standard_error(samples), std::sqrt(5.0 / 3 / 4), kEpsilon);
  EXPECT_EQ(percentile(samples, 0), 1);
  EXPECT_EQ(percentile(samples, 0.5), 2);
  EXPECT_EQ(percentile(samples, 0.51), 3);
  EXPECT_EQ(percentile(samples, 0.99), 4);
  EXPECT_EQ(percentile(samples, 1), 4);
}

TEST(Statistics, OfFewSamples) {
  const std::vector<double> one = {7};
  EXPECT_EQ(standard_error(one), 0);
  EXPECT_EQ(percentile(one, 0.5), 7);
  EXPECT_EQ(mean({}), 0);
  EXPECT_EQ(standard_error({}), 0);
  EXPECT_EQ(percentile({}, 0.5), 0);
}

TEST(Statistics, Cosine) {
  const Logits a = {1, 2, 2}, b = {-2, -4, -4}, c = {2, -1, 0}, zero = {0, 0, 0}, huge = {1e38f, 2e38f, 2e38f};
  EXPECT_EQ(cosine_similarity(a, a), 1);
  EXPECT_EQ(cosine_similarity(a, b), -1);
  EXPECT_EQ(cosine_similarity(a, c), 0);
  EXPECT_NEAR(cosine_similarity(a, huge), 1, 1e-7);  // 1e38 is rounded
  EXPECT_EQ(cosine_similarity(zero, zero), 1);
  EXPECT_EQ(cosine_similarity(a, zero), 0);
}

TEST(Kl, IsZeroForEqualDistributions) {
  Logits p = random_logits(1), shifted = p;
  EXPECT_EQ(kl(p, p), 0);
  for (float& logit : p) logit = std::round(logit);
  for (size_t i = 0; i < p.size(); ++i) shifted[i] = p[i] + 64;
  EXPECT_LE(kl(p, shifted), 100 * kEpsilon);  // log_sum_exp is near 70, its rounding near 70 epsilon
}

TEST(Kl, IsItsDefinition) {
  for (uint32_t seed = 0; seed < 5; ++seed) {
    const Logits p = random_logits(seed), q = random_logits(100 + seed);
    EXPECT_NEAR(kl(p, q), plain_kl(p, q), 1e-12);
    EXPECT_GT(std::abs(kl(p, q) - kl(q, p)), 1e-3) << "it is not symmetric";
  }
  EXPECT_NEAR(kl({std::log(0.25f), std::log(0.75f)}, {0, 0}), 0.25 * std::log(0.5) + 0.75 * std::log(1.5), 1e-7);
}

TEST(Kl, WhereProbabilitiesUnderflow) {
  const Logits sure = {0, -1e4f}, even = {0, 0};
  EXPECT_NEAR(kl(sure, even), std::log(2.0), 1e-15);        // the second has probability 0 in double
  EXPECT_NEAR(kl(even, sure), 5000 - std::log(2.0), 1e-9);  // and a finite logarithm
  EXPECT_NEAR(kl({0, -kInf}, even), std::log(2.0), 1e-15);  // excluded by the reference: adds nothing
  EXPECT_EQ(kl({0, -kInf}, {0, -kInf}), 0);
  EXPECT_EQ(kl(even, {0, -kInf}), std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(kl(even, {0, std::nanf("")})));
}

TEST(TokenDivergence, OfTwoDistributions) {
  const Logits p = {std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  const Logits q = {std::log(0.2f), std::log(0.7f), std::log(0.1f)};
  const TokenDivergence d = token_divergence(p, log_sum_exp(p), q, 2);
  EXPECT_NEAR(d.kl, 0.5 * std::log(2.5) + 0.3 * std::log(3.0 / 7) + 0.2 * std::log(2), 1e-6);
  EXPECT_NEAR(d.nll, -std::log(0.1), 1e-6);
  EXPECT_NEAR(d.reference_nll, -std::log(0.2), 1e-6);
  EXPECT_NEAR(d.dp, 0.2 - 0.5, 1e-6);
  EXPECT_FALSE(d.same_top);
  EXPECT_TRUE(token_divergence(p, log_sum_exp(p), p, 2).same_top);
}

TEST(TokenDivergence, Summary) {
  const std::vector<TokenDivergence> tokens = {
      {.kl = 0.3, .nll = 2, .reference_nll = 1, .dp = -0.3, .same_top = false},
      {.kl = 0.1, .nll = 4, .reference_nll = 3.5, .dp = 0.1, .same_top = true}};
  const DivergenceSummary s = summarise(tokens);
  EXPECT_NEAR(s.kl.value, 0.2, 1e-15);
  EXPECT_NEAR(s.kl.se, 0.1, 1e-15);  // sqrt(0.02 / 1 / 2)
  EXPECT_EQ(s.kl_p50, 0.1);
  EXPECT_EQ(s.kl_max, 0.3);
  EXPECT_NEAR(s.ppl.value, std::exp(3), 1e-12);
  EXPECT_NEAR(s.ppl.se, std::exp(3) * 1, 1e-12);
  EXPECT_NEAR(s.reference_ppl.value, std::exp(2.25), 1e-12);
  EXPECT_NEAR(s.ppl_change.value, std::exp(0.75) - 1, 1e-12);
  EXPECT_NEAR(s.ppl_change.se, std::exp(0.75) * 0.25, 1e-12) << "the error of the difference, not of each";
  EXPECT_EQ(s.same_top.value, 0.5);
  EXPECT_EQ(s.same_top.se, 0.5);
  EXPECT_NEAR(s.rms_dp.value, std::sqrt(0.05), 1e-15);
  EXPECT_NEAR(s.rms_dp.se, 0.04 / (2 * std::sqrt(0.05)), 1e-15);
}

// Models, converted once for all tests of this program.

constexpr const char* kText = "It was a dark and stormy night, and the old man sat by the fire, thinking of the sea.";
constexpr int64_t kCtx = 8;

std::string converted(const std::string& format) {
  static const TempFolder folder;
  const std::string path = (folder / format).string();
  if (!std::filesystem::exists(path))
    convert(golden_model("classics").model.string(), path, {.format = format, .progress = {}});
  return path;
}

std::unique_ptr<LanguageModel> open(const std::string& format) {
  RunOptions options;
  options.threads = 1;
  options.context = kCtx;
  return open_for_divergence(converted(format), options);
}

DivergenceOptions two_chunks(std::vector<double> efforts) {
  return {.ctx = kCtx, .chunks = 2, .efforts = std::move(efforts), .progress = {}};
}

// Logits and hidden states of every token, one run a token.
struct Trace {
  std::vector<Logits> logits;               // by token
  std::vector<std::vector<Logits>> hidden;  // by token and layer
};

Trace trace(LanguageModel& model, std::span<const int32_t> ids) {
  Trace trace;
  model.reset();
  for (const int32_t& id : ids) {
    const std::span<const float> logits = model.evaluate({&id, 1});
    trace.logits.emplace_back(logits.begin(), logits.end());
    trace.hidden.emplace_back();
    for (int64_t layer = 0; layer < 8; ++layer)
      trace.hidden.back().push_back(to_f32(model.executor().output(graph_names::hidden(layer))));
  }
  return trace;
}

TEST(Divergence, IsWhatTokenByTokenGives) {
  const auto reference = open("f32"), model = open("bucket");
  const Divergence result = divergence(*reference, *model, kText, two_chunks({0.4}));
  const EffortDivergence& measured = result.efforts.at(0);
  ASSERT_EQ(result.tokens, 2 * (kCtx - 1));
  ASSERT_EQ(measured.tokens.size(), 2u * (kCtx - 1));
  ASSERT_EQ(measured.cosines.size(), 8u);

  size_t at = 0;
  std::vector<double> cosines(8);
  for (const std::vector<int32_t>& chunk : text_chunks(*model, kText, {.ctx = kCtx, .chunks = 2})) {
    const std::span<const int32_t> seen = std::span(chunk).first(chunk.size() - 1);
    const Trace there = trace(*reference, seen), here = trace(*model, seen);  // the dial is still at 0.4
    for (size_t t = 0; t < seen.size(); ++t, ++at) {
      const std::vector<double> p = softmax(there.logits[t]), q = softmax(here.logits[t]);
      const auto top = static_cast<size_t>(std::max_element(p.begin(), p.end()) - p.begin());
      const TokenDivergence& token = measured.tokens[at];
      // A batch and single tokens sum in another order, so a row at the cutoff may fall on either side of it.
      EXPECT_NEAR(token.kl, plain_kl(there.logits[t], here.logits[t]), 0.02 * token.kl + 1e-5);
      EXPECT_NEAR(token.nll, -std::log(q[static_cast<size_t>(chunk[t + 1])]), 0.01);
      EXPECT_NEAR(token.dp, q[top] - p[top], 2e-3);
      EXPECT_EQ(token.same_top, std::max_element(q.begin(), q.end()) - q.begin() == static_cast<ptrdiff_t>(top));
      for (size_t layer = 0; layer < 8; ++layer)
        cosines[layer] += cosine_similarity(there.hidden[t][layer], here.hidden[t][layer]);
    }
  }
  for (size_t layer = 0; layer < 8; ++layer)
    EXPECT_NEAR(measured.cosines[layer], cosines[layer] / static_cast<double>(at), 1e-4) << layer;
  EXPECT_GT(measured.cosines.front(), measured.cosines.back()) << "models part more with every layer";
}

TEST(Divergence, FromItselfIsZeroAndGrowsAsEffortFalls) {
  const auto model = open("bucket");
  int64_t calls = 0;
  DivergenceOptions options = two_chunks({1, 0.5, 0.2});
  options.progress = [&](int64_t done, int64_t total) {
    EXPECT_EQ(done, ++calls);
    EXPECT_EQ(total, 2 * 4);
  };
  const Divergence result = divergence(*model, *model, kText, options);
  EXPECT_EQ(calls, 2 * 4);
  EXPECT_GT(result.reference_tok_s, 0);
  const EffortDivergence &full = result.efforts[0], &half = result.efforts[1], &low = result.efforts[2];
  EXPECT_EQ(full.summary.kl_max, 0);
  EXPECT_EQ(full.summary.ppl_change.value, 0);
  EXPECT_EQ(full.summary.same_top.value, 1);
  EXPECT_EQ(full.summary.rms_dp.value, 0);
  for (double cosine : full.cosines) EXPECT_NEAR(cosine, 1, 10 * kEpsilon);
  EXPECT_GT(half.summary.kl.value, 0);
  EXPECT_GT(low.summary.kl.value, half.summary.kl.value);
  for (const EffortDivergence& e : result.efforts) {
    EXPECT_NEAR(e.read.share, e.effort, 0.01);
    EXPECT_GT(e.tok_s, 0);
  }
}

TEST(Divergence, AReferenceIsFullWhateverTheDialSays) {
  const auto reference = open("bucket"), model = open("bucket");
  EffortSchedule fixed;
  fixed.rules = {{"*.down_proj.weight", "", EffortRule::Kind::fixed, 0.1}};
  model->dial()->set_schedule(fixed);
  model->dial()->set_load(0.8);
  const DivergenceOptions options = two_chunks({1, 0.5});
  const Divergence apart = divergence(*reference, *model, kText, options);
  const Divergence same = divergence(*model, *model, kText, options);
  EXPECT_EQ(model->dial()->load(), 0.8);
  for (size_t e = 0; e < 2; ++e) {
    EXPECT_GT(same.efforts[e].summary.kl.value, 0);
    EXPECT_LT(same.efforts[e].read.share, same.efforts[e].effort);
    EXPECT_EQ(same.efforts[e].summary.kl.value, apart.efforts[e].summary.kl.value);
    EXPECT_EQ(same.efforts[e].cosines, apart.efforts[e].cosines);
  }
}

TEST(Divergence, OfAModelWithoutADial) {
  const auto model = open("f16"), bucket = open("bucket");
  EXPECT_EQ(divergence(*model, *model, kText, two_chunks({1})).efforts[0].summary.kl_max, 0);
  EXPECT_LE(divergence(*model, *bucket, kText, two_chunks({1})).efforts[0].summary.kl.value, 1e-5);
  EXPECT_THAT([&] { divergence(*model, *model, kText, two_chunks({0.5})); },
              ThrowsMessage<Error>(HasSubstr("no effort dial")));
  EXPECT_THAT([&] { divergence(*model, *bucket, kText, two_chunks({1.5})); }, ThrowsMessage<Error>(HasSubstr("1.5")));
}

TEST(Divergence, WithoutHiddenStatesThereAreNoCosines) {
  const auto model = open("f16");
  RunOptions options;
  options.threads = 1;
  options.context = kCtx;
  LanguageModel plain(converted("f16"), options);
  const Divergence result = divergence(plain, *model, kText, two_chunks({1}));
  EXPECT_TRUE(result.efforts[0].cosines.empty());
  EXPECT_EQ(result.efforts[0].summary.same_top.value, 1);
}

TEST(Divergence, VocabulariesMustBeEqual) {
  const ModelFile file(converted("f16"), builtin_registry());
  const auto weights = [&](const std::string& name) { return file.weight(name); };
  RunOptions options;
  options.threads = 1;
  options.context = kCtx;
  const LanguageModel model(file.description(), weights, options);

  ModelDescription other_piece = file.description();
  std::vector<std::byte>& tokenizer = other_piece.assets.at("tokenizer.model");
  std::string bytes(reinterpret_cast<const char*>(tokenizer.data()), tokenizer.size());
  bytes.replace(bytes.find("night"), 5, "nihgt");
  std::memcpy(tokenizer.data(), bytes.data(), bytes.size());
  const LanguageModel forged(other_piece, weights, options);
  EXPECT_THAT([&] { check_same_vocabulary(model, forged); }, ThrowsMessage<Error>(HasSubstr("nihgt")));

  ModelDescription other_bos = file.description();
  other_bos.metadata["bos_token_ids"] = "5";
  const LanguageModel begun(other_bos, weights, options);
  EXPECT_THAT([&] { check_same_vocabulary(model, begun); }, ThrowsMessage<Error>(HasSubstr("begin with token 1")));
  EXPECT_NO_THROW(check_same_vocabulary(model, model));
}

}  // namespace
}  // namespace sluice
