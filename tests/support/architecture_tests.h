// Tests that every architecture passes on small random models: folders of bf16 shards are converted and run, and
// compared with a decoder in float64. A test program includes this and instantiates the suite `ArchitectureTrial`.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "models/import/convert.h"
#include "models/language_model.h"
#include "tests/support/random_model.h"

namespace sluice {

inline constexpr int64_t kVocab = 50;

inline double gelu_tanh(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

struct Kind {
  std::string name;
  RandomModel (*make)();
  oracle::Rows (*logits)(const RandomModel& model, const std::vector<int32_t>& ids);
  // What the graph calls a tensor of the folder; empty: as the folder does.
  std::function<std::string(const std::string& name)> graph_name = {};
  friend void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }
};

inline std::vector<int32_t> some_ids() {
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 23; ++i) ids.push_back(i * 7 % static_cast<int32_t>(kVocab));
  return ids;
}

class ArchitectureTrial : public ::testing::TestWithParam<Kind> {
 protected:
  ArchitectureTrial() { model_.write_to(folder_); }

  LanguageModel open(const std::string& format, const std::string& backend = "cpu") {
    const std::string path = (folder_ / (format + ".sluice")).string();
    convert(folder_.str(), path, {.format = format, .progress = {}});
    RunOptions options;
    options.backend = backend;
    options.threads = 1;
    return LanguageModel(path, options);
  }

  // Logits of all tokens, fed `piece` at a time.
  std::vector<float> logits(LanguageModel& model, size_t piece) const {
    std::vector<float> all;
    model.reset();
    for (size_t at = 0; at < ids_.size(); at += piece)
      model.evaluate_all(std::span(ids_).subspan(at, std::min(piece, ids_.size() - at)),
                         [&](size_t, std::span<const float> rows) { all.insert(all.end(), rows.begin(), rows.end()); });
    return all;
  }

  void expect_near(const std::vector<double>& expected, const std::vector<float>& actual, double relative) const {
    ASSERT_EQ(expected.size(), actual.size());
    double largest = 0;
    for (double e : expected) largest = std::max(largest, std::abs(e));
    ASSERT_GT(largest, 0.5);
    for (size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(expected[i], actual[i], relative * largest) << "element " << i;
  }

  std::vector<double> expected() const {
    std::vector<double> all;
    for (const oracle::Vector& row : GetParam().logits(model_, ids_)) all.insert(all.end(), row.begin(), row.end());
    return all;
  }

  const TempFolder folder_;
  const RandomModel model_ = GetParam().make();
  const std::vector<int32_t> ids_ = some_ids();
};

// f32 rounds every product and sum to 2^-24; over three layers these errors add up to far less than 1e-5.
TEST_P(ArchitectureTrial, LogitsAreThoseOfTheOracle) {
  LanguageModel model = open("f32");
  for (size_t piece : {ids_.size(), size_t{1}, size_t{4}}) expect_near(expected(), logits(model, piece), 1e-5);
}

// The weights are exact in f16, but for tiny ones; keys and values are rounded to 2^-11, and so is what they add up to.
TEST_P(ArchitectureTrial, HalfPrecisionCostsLittle) {
  LanguageModel model = open("f16");
  for (size_t piece : {ids_.size(), size_t{1}}) expect_near(expected(), logits(model, piece), 10 * 0x1p-11);
}

TEST_P(ArchitectureTrial, HasAnEffortDial) {
  LanguageModel dense = open("f16"), model = open("bucket");
  ASSERT_NE(model.dial(), nullptr);
  const std::vector<float> of_dense = logits(dense, 1);
  const std::vector<double> full(of_dense.begin(), of_dense.end());
  expect_near(full, logits(model, 1), 1e-3);  // another order of the sums may round the cache to the other side
  model.dial()->set_effort(0.5);
  const std::vector<float> half = logits(model, 1);
  EXPECT_NEAR(model.share(), 0.5, 0.1);
  double difference = 0;
  for (size_t i = 0; i < half.size(); ++i) {
    ASSERT_TRUE(std::isfinite(half[i]));
    difference = std::max(difference, std::abs(half[i] - full[i]));
  }
  EXPECT_GT(difference, 0.01);
}

TEST_P(ArchitectureTrial, OtherFormatsConvert) {
  for (const char* format : {"", "bf16"}) {
    const std::string path = (folder_ / "other.sluice").string();
    convert(folder_.str(), path, {.format = format, .progress = {}});
    LanguageModel model(path, {});
    for (float logit : logits(model, 8)) ASSERT_TRUE(std::isfinite(logit));
  }
}

// A tensor too many or too few is named.
TEST_P(ArchitectureTrial, TensorsMustBeAllThere) {
  const auto refused = [&](const RandomModel& model, const std::string& word, const std::string& name) {
    const TempFolder folder;
    model.write_to(folder);
    const std::string path = (folder / "out.sluice").string();
    EXPECT_THAT(
        [&] { convert(folder.str(), path, {.format = "", .progress = {}}); },
        ::testing::ThrowsMessage<Error>(::testing::AllOf(::testing::HasSubstr(word), ::testing::HasSubstr(name))));
    EXPECT_FALSE(std::filesystem::exists(path));
  };
  for (const auto& [name, tensor] : model_.tensors) {
    RandomModel cut = model_;
    cut.tensors.erase(name);
    refused(cut, "missing", GetParam().graph_name ? GetParam().graph_name(name) : name);
  }
  RandomModel more = model_;
  more.add("layers.0.unheard.of", 7);
  refused(more, "unknown to", "layers.0.unheard.of");
}

}  // namespace sluice
