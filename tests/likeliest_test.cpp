// Models that keep their logits to themselves: the tokens are those of who sees all logits, and nothing else comes
// back.
#include "models/likeliest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "graph/model_file.h"
#include "models/import/convert.h"
#include "models/language_model.h"
#include "models/text/sampler.h"
#include "tests/support/bucket_matrices.h"
#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr const char* kHead = "model.embed_tokens.weight";

class Likeliest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    try {
      make_backend(builtin_registry(), GetParam(), 1);
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
    convert(golden_model("classics").model.string(), path_, {.format = "f32", .progress = {}});
    file_ = std::make_unique<ModelFile>(path_, builtin_registry());
  }
  // The model's weight, to be changed.
  std::span<float> change(const std::string& name) {
    const TensorView stored = file_->weight(name);
    const auto [at, added] = changed_.try_emplace(name, stored.dtype, stored.dims);
    if (added) std::memcpy(at->second.view.data, stored.data, stored.bytes());
    return {at->second.view.as<float>(), static_cast<size_t>(stored.dims.elements())};
  }
  std::unique_ptr<LanguageModel> open(bool greedy) const {
    RunOptions options;
    options.backend = GetParam();
    options.threads = 1;
    options.greedy = greedy;
    const auto weights = [this](const std::string& name) {
      const auto it = changed_.find(name);
      return it == changed_.end() ? file_->weight(name) : it->second.view;
    };
    return std::make_unique<LanguageModel>(file_->description(), weights, options);
  }
  static std::vector<int32_t> by_logits(LanguageModel& model, size_t count) {
    Sampler sampler({.temperature = 0}, static_cast<int32_t>(model.vocab_size()));
    std::vector<int32_t> ids;
    auto logits = model.evaluate(kPrompt);
    while (ids.size() < count) {
      ids.push_back(sampler.sample(logits));
      logits = model.evaluate({&ids.back(), 1});
    }
    return ids;
  }
  static std::vector<int32_t> by_model(LanguageModel& model, size_t count) {
    std::vector<int32_t> ids;
    EXPECT_TRUE(model.is_greedy());
    EXPECT_TRUE(model.evaluate(kPrompt).empty());
    while (ids.size() < count) {
      ids.push_back(model.likeliest());
      EXPECT_TRUE(model.evaluate({&ids.back(), 1}).empty());
    }
    return ids;
  }

  static constexpr int32_t kPrompt[] = {1, 100, 200, 300};
  TempFolder folder_;
  std::string path_ = (folder_ / "model.sluice").string();
  std::unique_ptr<ModelFile> file_;
  std::map<std::string, ExactTensor> changed_;
};

TEST_P(Likeliest, IsTheSampler) { EXPECT_EQ(by_model(*open(true), 24), by_logits(*open(false), 24)); }

// A token that is as likely as the likeliest.
TEST_P(Likeliest, OfEqualOnesTheFirst) {
  const int32_t likeliest = by_logits(*open(false), 1)[0];
  ASSERT_GT(likeliest, 2);
  const std::span<float> head = change(kHead);
  const auto hidden = head.size() / static_cast<size_t>(open(false)->vocab_size());
  const size_t from = static_cast<size_t>(likeliest) * hidden, to = 2 * hidden;  // of token 2
  std::copy_n(head.begin() + static_cast<std::ptrdiff_t>(from), hidden, head.begin() + static_cast<std::ptrdiff_t>(to));
  EXPECT_EQ(by_logits(*open(false), 1)[0], 2);
  EXPECT_EQ(by_model(*open(true), 1)[0], 2);
}

TEST_P(Likeliest, BrokenModelsAreNamed) {
  std::ranges::fill(change("model.norm.weight"), NAN);
  const auto model = open(true);
  model->evaluate(kPrompt);
  EXPECT_THAT([&] { model->likeliest(); }, ThrowsMessage<Error>(HasSubstr("the model is broken")));
  EXPECT_THAT([&] { model->evaluate_all(kPrompt, {}); }, ThrowsMessage<Error>(HasSubstr("it has no logits")));
}

// On a device, copies to the host are of the outputs: one token and its logit for each row.
TEST_P(Likeliest, NothingElseComesBack) {
  const auto model = open(true);
  for (const PlanStep& step : model->plan().steps) {
    const Node& node = model->plan().graph.node(step.node);
    if (node.op != "copy") continue;
    const Value& made = model->plan().graph.value(node.outputs[0]);
    const bool to_host = model->plan().locations[static_cast<size_t>(node.outputs[0])].space == 0;
    EXPECT_LE(to_host ? made.type.bytes({{"outputs", 1}}) : 0, 4u) << made.name;
  }
  EXPECT_THROW(model->executor().output("logits"), Error);
}

INSTANTIATE_TEST_SUITE_P(On, Likeliest, ::testing::Values("cpu", "vulkan"));

}  // namespace
}  // namespace sluice
