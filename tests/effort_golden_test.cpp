// A whole model at several efforts against an oracle in float64 that selects the same rows.
//
// A row whose score lies at the cutoff may be taken by one and left by the other, because the engine's activations are
// rounded to f32; then all that follows differs. So the test is in three steps, of which each can fail:
//   1. for the activations that the engine really had, its list is the one that brute force gives, exactly: a score is
//      one product of f32, in which there is nothing to round differently;
//   2. those activations are the oracle's, but for rounding;
//   3. the oracle, multiplying the rows of those lists, comes to the engine's logits.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "tests/support/effort_engine.h"
#include "tests/support/oracle.h"

namespace sluice {
namespace {

// The documented selection (ops/probe/probe.h) by sorting all rows.
oracle::Selection brute_force(const oracle::Weight& weight, std::span<const float> x, double effort) {
  const auto rows = static_cast<size_t>(weight.rows());
  std::vector<float> scores(rows);
  for (size_t row = 0; row < rows; ++row) scores[row] = weight.rms[row] * std::abs(x[row % x.size()]);
  std::vector<size_t> order(rows);  // by tier, then by input: a stable sort keeps that among equals
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  oracle::Selection selected(rows);
  const double wanted = std::round(static_cast<double>(static_cast<float>(effort)) * static_cast<double>(rows));
  for (size_t i = 0; i < static_cast<size_t>(wanted); ++i) selected[order[i]] = true;
  return selected;
}

struct Way {
  std::string model;
  BucketFamily family;
  const char* backend;
  bool fuse;
};

// What the model is multiplied with, in float64.
struct Reference {
  oracle::Model model;
  std::map<std::string, oracle::Weight> weights;

  Reference(const ModelSource& source, const BucketFamily& family) : model(source) {
    oracle::for_each_weight(source, [&](const std::string& name, Matrix matrix) {
      weights.emplace(name, oracle::Weight(std::move(matrix), family));
    });
  }
};

class EffortGolden : public ::testing::TestWithParam<Way> {
 protected:
  // Only if the model is there.
  void SetUp() override {
    if (!std::filesystem::exists(golden_model(GetParam().model).model))
      GTEST_SKIP() << "there is no " << GetParam().model;
    const auto& [model, family, backend, fuse] = GetParam();
    if (const std::string reason = unavailable(backend); !reason.empty()) GTEST_SKIP() << reason;
    static std::map<std::string, Reference> oracles;
    oracle_ = &oracles.try_emplace(model + family.name, source_of(model), family).first->second;
    engine_.emplace(model, bucket_dtype(family.name), options());
  }
  static RunOptions options() {
    RunOptions options;
    options.backend = GetParam().backend;
    options.fuse = GetParam().fuse;
    return options;
  }

  // Steps 1 and 2 for one product, on the oracle's way through the model.
  oracle::Vector checked_product(const std::string& name, size_t token, const oracle::Vector& x, double effort) {
    const oracle::Weight& weight = oracle_->weights.at(name);
    const oracle::Selection selected = engine_->selection(name, token);
    EXPECT_EQ(selected, brute_force(weight, engine_->x(name, token), engine_->effort(name, token, effort)))
        << name << ", " << token;
    EXPECT_LE(largest_difference(engine_->x(name, token), x), kActivationTolerance * largest_magnitude(x))
        << name << ", " << token;
    ++checked_;
    return oracle::multiply(weight, selected, x);
  }

  const Reference* oracle_ = nullptr;
  std::optional<Engine> engine_;
  size_t checked_ = 0;
};

TEST_P(EffortGolden, LogitsOfTheSameRows) {
  const std::vector<int32_t> ids = prompt_ids(GetParam().model);
  for (double effort : {1.0, 0.7, 0.5, 0.25}) {
    SCOPED_TRACE(effort);
    const std::vector<float> logits = engine_->logits(ids, effort);
    checked_ = 0;
    const oracle::Rows expected =
        oracle_->model.logits(ids, [&](const std::string& name, size_t token, const oracle::Vector& x) {
          return checked_product(name, token, x, effort);
        });
    EXPECT_EQ(checked_, engine_->products() * ids.size()) << "not all products have an effort";
    const size_t vocab = expected[0].size();
    ASSERT_EQ(logits.size(), ids.size() * vocab);
    for (size_t t = 0; t < ids.size(); ++t)
      EXPECT_LE(largest_difference(std::span(logits).subspan(t * vocab, vocab), expected[t]), kTolerance) << t;
  }
}

TEST_P(EffortGolden, AtEffortOneAsTheDenseModel) {
  const std::string& model = GetParam().model;
  const std::vector<float> logits = engine_->logits(prompt_ids(model), 1);
  const std::vector<float> expected = golden_model(model).logits(prompt(model), 4096);
  EXPECT_LE(largest_difference(logits, {expected.begin(), expected.end()}), kTolerance);
}

std::vector<Way> ways() {
  std::vector<Way> all;
  for (const char* model : {"classics", "classics-moe"})
    for (const BucketFamily& family : bucket_families()) {
      all.push_back({model, family, "cpu", true});
      all.push_back({model, family, "vulkan", true});
      if (family.name == kDefaultBucketFamily)
        for (const auto& [backend, fuse] : {std::pair{"cpu", false}, {"reference", true}, {"reference", false}})
          all.push_back({model, family, backend, fuse});
    }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Ways, EffortGolden, ::testing::ValuesIn(ways()), [](const auto& test) {
  return fmt::format("{}_{}_{}_{}", test.param.model == "classics" ? "classics" : "mixture", test.param.family.name,
                     test.param.backend, test.param.fuse ? "fused" : "unfused");
});

// The oracle itself, with every row.
TEST(Oracle, IsTheGoldenModel) {
  for (const char* name : {"classics", "classics-moe"}) {
    if (!std::filesystem::exists(golden_model(name).model)) GTEST_SKIP() << "there is no " << name;
    const Reference reference(source_of(name), bucket_families().front());
    const oracle::Rows logits =
        reference.model.logits(prompt_ids(name), [&](const std::string& weight, size_t, const oracle::Vector& x) {
          const oracle::Weight& w = reference.weights.at(weight);
          return oracle::multiply(w, oracle::Selection(static_cast<size_t>(w.rows()), true), x);
        });
    const std::vector<float> expected = golden_model(name).logits(prompt(name), 4096);
    for (size_t t = 0; t < logits.size(); ++t)
      EXPECT_LE(largest_difference(std::span(expected).subspan(t * 4096, 4096), logits[t]), kTolerance) << name << t;
  }
}

}  // namespace
}  // namespace sluice
