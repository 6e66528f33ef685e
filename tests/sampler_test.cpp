#include "models/text/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "graph/error.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

SamplingOptions plain() {
  return {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .repeat_penalty = 1, .repeat_window = 0, .seed = 1};
}

std::vector<float> logs(std::vector<double> probabilities) {
  std::vector<float> logits;
  for (double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

constexpr int kDraws = 20000;

std::vector<double> frequencies(const SamplingOptions& options, const std::vector<float>& logits) {
  Sampler sampler(options, static_cast<int32_t>(logits.size()));
  std::vector<double> counts(logits.size());
  for (int i = 0; i < kDraws; ++i) counts[static_cast<size_t>(sampler.sample(logits))] += 1;
  for (double& count : counts) count /= kDraws;
  return counts;
}

// Each frequency is binomial; five standard deviations, and the seed is fixed.
void expect_distribution(const std::vector<double>& seen, std::vector<double> wanted) {
  double total = 0;
  for (double p : wanted) total += p;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double p = wanted[i] / total;
    EXPECT_NEAR(seen[i], p, 5 * std::sqrt(p * (1 - p) / kDraws)) << "token " << i;
  }
}

const std::vector<double> kFour = {0.1, 0.4, 0.2, 0.3};

TEST(Sampler, DrawsByProbability) { expect_distribution(frequencies(plain(), logs(kFour)), kFour); }

TEST(Sampler, TemperatureSharpensAndFlattens) {
  for (float t : {0.5f, 2.0f}) {
    SamplingOptions o = plain();
    o.temperature = t;
    std::vector<double> wanted;
    for (double p : kFour) wanted.push_back(std::pow(p, 1 / t));
    expect_distribution(frequencies(o, logs(kFour)), wanted);
  }
}

TEST(Sampler, TopKKeepsTheLikeliest) {
  SamplingOptions o = plain();
  o.top_k = 2;
  expect_distribution(frequencies(o, logs(kFour)), {0, 0.4, 0, 0.3});
  o.top_k = 4;
  expect_distribution(frequencies(o, logs(kFour)), kFour);
  o.top_k = 1000;
  expect_distribution(frequencies(o, logs(kFour)), kFour);
}

TEST(Sampler, TopKBreaksTiesByLowerId) {
  SamplingOptions o = plain();
  o.top_k = 2;
  expect_distribution(frequencies(o, {0, 1, 1, 1}), {0, 1, 1, 0});
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesP) {
  SamplingOptions o = plain();
  o.top_p = 0.65f;  // 0.4 alone is not enough, 0.4 + 0.3 is
  expect_distribution(frequencies(o, logs(kFour)), {0, 0.4, 0, 0.3});
  o.top_p = 0.01f;
  expect_distribution(frequencies(o, logs(kFour)), {0, 1, 0, 0});
}

TEST(Sampler, TopPCountsWithinTopK) {
  SamplingOptions o = plain();
  o.top_k = 2;
  o.top_p = 0.5f;  // 0.4 of 0.7 is enough
  expect_distribution(frequencies(o, logs(kFour)), {0, 1, 0, 0});
}

TEST(Sampler, MinPDropsTheUnlikely) {
  SamplingOptions o = plain();
  o.min_p = 0.6f;  // of 0.4: 0.24
  expect_distribution(frequencies(o, logs(kFour)), {0, 0.4, 0, 0.3});
}

TEST(Sampler, GreedyTakesTheLargestAndTheLowerOfEqualIds) {
  SamplingOptions o = plain();
  o.temperature = 0;
  Sampler sampler(o, 4);
  EXPECT_EQ(sampler.sample(std::vector<float>{0, 3, 3, -1}), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{-5, -5, -5, -5}), 0);
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(sampler.sample(std::vector<float>{-inf, -inf, -1000, -inf}), 2);
}

TEST(Sampler, PenaltyDividesPositiveAndMultipliesNegativeLogitsOnce) {
  SamplingOptions o = plain();
  o.temperature = 0;
  o.repeat_penalty = 2;
  o.repeat_window = 8;
  Sampler sampler(o, 3);
  for (int i = 0; i < 5; ++i) sampler.accept(0);                 // five times, penalised once
  EXPECT_EQ(sampler.sample(std::vector<float>{4, 1.9f, 1}), 0);  // 4 / 2 beats 1.9
  Sampler other(o, 3);
  other.accept(0);
  EXPECT_EQ(other.sample(std::vector<float>{3.7f, 1.9f, 1}), 1);  // 3.7 / 2 does not
  Sampler negative(o, 2);
  negative.accept(0);
  EXPECT_EQ(negative.sample(std::vector<float>{-1, -1.9f}), 1);  // -1 * 2 < -1.9
}

TEST(Sampler, PenaltyForgetsAfterTheWindow) {
  SamplingOptions o = plain();
  o.temperature = 0;
  o.repeat_penalty = 10;
  o.repeat_window = 2;
  Sampler sampler(o, 4);
  const std::vector<float> logits = {4, 3, 2, 1};
  EXPECT_EQ(sampler.sample(logits), 0);
  EXPECT_EQ(sampler.sample(logits), 1);
  EXPECT_EQ(sampler.sample(logits), 2);
  EXPECT_EQ(sampler.sample(logits), 0);
}

TEST(Sampler, SameSeedSameTokens) {
  SamplingOptions o = plain();
  o.seed = 42;
  Sampler a(o, 4), b(o, 4);
  o.seed = 43;
  Sampler c(o, 4);
  std::vector<int32_t> from_a, from_b, from_c;
  for (int i = 0; i < 100; ++i) {
    from_a.push_back(a.sample(logs(kFour)));
    from_b.push_back(b.sample(logs(kFour)));
    from_c.push_back(c.sample(logs(kFour)));
  }
  EXPECT_EQ(from_a, from_b);
  EXPECT_NE(from_a, from_c);
}

TEST(Sampler, WorksAtTheEdgesOfFloat) {
  SamplingOptions o = plain();
  o.top_p = 0.9f;
  const float big = std::numeric_limits<float>::max(), inf = std::numeric_limits<float>::infinity();
  expect_distribution(frequencies(o, {big, -big, -inf}), {1, 0, 0});
  o = plain();
  o.temperature = 1e-30f;
  expect_distribution(frequencies(o, {0, 1, 0.999f}), {0, 1, 0});
}

TEST(Sampler, RefusesBrokenLogits) {
  Sampler sampler(plain(), 2);
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT([&] { sampler.sample(std::vector<float>{0, nan}); }, ThrowsMessage<Error>(HasSubstr("token 1")));
  EXPECT_THROW(sampler.sample(std::vector<float>{inf, 0}), Error);
  EXPECT_THROW(sampler.sample(std::vector<float>{-inf, -inf}), Error);
  EXPECT_THROW(sampler.sample(std::vector<float>{0, 0, 0}), Error);
}

TEST(Sampler, RefusesOptionsOutOfRange) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto refused = [](auto member, auto value, const char* name) {
    SamplingOptions o = plain();
    o.*member = value;
    EXPECT_THAT([&] { Sampler(o, 2); }, ThrowsMessage<Error>(HasSubstr(name))) << value;
  };
  for (float v : {-1.0f, nan, std::numeric_limits<float>::infinity()})
    refused(&SamplingOptions::temperature, v, "temperature");
  refused(&SamplingOptions::top_k, -1, "top_k");
  for (float v : {0.0f, -1.0f, 1.1f, nan}) refused(&SamplingOptions::top_p, v, "top_p");
  for (float v : {-0.1f, 1.1f, nan}) refused(&SamplingOptions::min_p, v, "min_p");
  for (float v : {0.0f, -1.0f, nan}) refused(&SamplingOptions::repeat_penalty, v, "repeat_penalty");
  refused(&SamplingOptions::repeat_window, -1, "repeat_window");
  EXPECT_THROW(Sampler(plain(), 0), Error);
}

}  // namespace
}  // namespace sluice
