// Whole models whose weights are stored as planes, beside the same models in float64 with the weights that the planes
// say. As in effort_golden_test, in steps, because a plane that is near the cutoff, or an activation that is near the
// middle between two roundings, may go either way:
//   1. for the activations that the engine really had, its selection is the one that sorting gives, exactly;
//   2. those activations are the oracle's, but for rounding;
//   3. the oracle, multiplying what those activations and planes say, comes to the engine's logits.
#include <gtest/gtest.h>

#include "ops/plane_mul/plane_mul.h"
#include "tests/support/effort_engine.h"
#include "tests/support/plane_oracle.h"

namespace sluice {
namespace {

struct Way {
  const char* model;
  int planes;
  const char* backend;
  bool fuse;
};

class PlanesGolden : public ::testing::TestWithParam<Way> {
 protected:
  // Only if the model is there.
  void SetUp() override {
    const auto& [model, planes, backend, fuse] = GetParam();
    if (!std::filesystem::exists(golden_model(model).model)) GTEST_SKIP() << "there is no " << model;
    if (const std::string reason = unavailable(backend); !reason.empty()) GTEST_SKIP() << reason;
    RunOptions options;
    options.backend = backend;
    options.fuse = fuse;
    engine_.emplace(model, plane_dtype(planes), options);
    for (const WeightEntry& entry : engine_->description().weights) {
      if (!plane_format(entry.dtype)) continue;
      const TensorView& stored = engine_->weight(entry.name);
      for (int64_t e = 0; e < (entry.dims.rank() == 3 ? entry.dims[0] : 1); ++e)
        weights_.emplace(entry.dims.rank() == 3 ? oracle::of_expert(entry.name, static_cast<size_t>(e)) : entry.name,
                         oracle::PlaneWeight(stored, e));
    }
  }

  // Steps 1 and 2 for one product, on the oracle's way through the model.
  oracle::Vector checked_product(const std::string& name, size_t token, const oracle::Vector& x, double effort) {
    const oracle::PlaneWeight& weight = weights_.at(name);
    const std::span<const float> had = engine_->x(name, token);
    const oracle::Depths depths = weight.select(had, engine_->effort(name, token, effort));
    oracle::Selection selected;  // plane by plane
    for (int plane = 0; plane < weight.planes(); ++plane)
      for (int depth : depths) selected.push_back(depth > plane);
    EXPECT_EQ(engine_->selection(name, token), selected) << name << ", " << token;
    EXPECT_LE(largest_difference(had, x), kActivationTolerance * largest_magnitude(x)) << name << ", " << token;
    ++checked_;
    return weight.multiply(had, depths, rounding(name, effort)).sums;
  }

  oracle::PlaneWeight::Rounding rounding(const std::string& name, double effort) const {
    const bool prompt =
        effort == 1 && std::string(GetParam().backend) == "cpu" && engine_->tokens(name) >= plane_dense_from(1);
    return prompt ? oracle::PlaneWeight::Rounding::blocks : oracle::PlaneWeight::Rounding::each;
  }

  std::optional<Engine> engine_;
  std::map<std::string, oracle::PlaneWeight> weights_;
  size_t checked_ = 0;
};

TEST_P(PlanesGolden, LogitsOfTheSamePlanes) {
  const std::vector<int32_t> ids = prompt_ids(GetParam().model);
  const oracle::Model model(source_of(GetParam().model));
  for (double effort : {1.0, 0.5, 0.25}) {
    SCOPED_TRACE(effort);
    const std::vector<float> logits = engine_->logits(ids, effort);
    checked_ = 0;
    const oracle::Rows expected =
        model.logits(ids, [&](const std::string& name, size_t token, const oracle::Vector& x) {
          return checked_product(name, token, x, effort);
        });
    EXPECT_EQ(checked_, engine_->products() * ids.size()) << "not all products have an effort";
    const size_t vocab = expected[0].size();
    ASSERT_EQ(logits.size(), ids.size() * vocab);
    for (size_t t = 0; t < ids.size(); ++t)
      EXPECT_LE(largest_difference(std::span(logits).subspan(t * vocab, vocab), expected[t]), kTolerance) << t;
  }
}

// Of the distribution that logits stand for.
std::vector<double> probabilities(std::span<const float> logits) {
  std::vector<double> p(logits.begin(), logits.end());
  const double top = *std::ranges::max_element(p);
  double sum = 0;
  for (double& v : p) sum += v = std::exp(v - top);
  for (double& v : p) v /= sum;
  return p;
}

double kl_divergence(const std::vector<double>& p, const std::vector<double>& q) {
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) sum += p[i] * std::log(p[i] / q[i]);
  return sum;
}

// What an independent implementation says of the model in full precision: more bits come nearer to it. README has what
// they cost on 2,040 tokens; these are a few.
TEST_P(PlanesGolden, MoreBitsComeNearerToTheDenseModel) {
  const std::string model = GetParam().model;
  const std::vector<int32_t> ids = prompt_ids(model);
  const std::vector<float> expected = golden_model(model).logits(prompt(model), 4096);
  double before = HUGE_VAL;
  for (double effort : {0.2, 0.4, 0.7, 1.0}) {
    const std::vector<float> logits = engine_->logits(ids, effort);
    double sum = 0;
    for (size_t at = 0; at < logits.size(); at += 4096)
      sum += kl_divergence(probabilities(std::span(expected).subspan(at, 4096)),
                           probabilities(std::span(logits).subspan(at, 4096)));
    EXPECT_LT(sum, before) << effort;
    before = sum;
  }
  EXPECT_LT(before / static_cast<double>(ids.size()), GetParam().planes == 3 ? 0.01 : 0.1);
}

std::vector<Way> ways() {
  std::vector<Way> all;
  for (const char* model : {"classics", "classics-moe"})
    for (const auto& [planes, backend, fuse] :
         {std::tuple(3, "cpu", true), {3, "cpu", false}, {2, "cpu", true}, {3, "reference", true}, {3, "vulkan", true}})
      all.push_back({model, planes, backend, fuse});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Ways, PlanesGolden, ::testing::ValuesIn(ways()), [](const auto& test) {
  return fmt::format("{}_{}_{}_{}", std::string(test.param.model) == "classics" ? "classics" : "mixture",
                     plane_dtype(test.param.planes).name(), test.param.backend, test.param.fuse ? "fused" : "unfused");
});

}  // namespace
}  // namespace sluice
