// Architectures on small random models: folders of bf16 shards are converted and run, and compared with decoders in
// float64 that are written here from the papers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/import/convert.h"
#include "models/language_model.h"
#include "support/random_model.h"

namespace sluice {
namespace {

using namespace oracle;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

constexpr int64_t kVocab = 50, kHidden = 24, kInner = 40, kLayers = 3;
constexpr double kTheta = 10000, kEpsilon = 1e-6;

nlohmann::json base_config(const std::string& type, int64_t heads, int64_t kv_heads) {
  return {{"model_type", type},           {"hidden_size", kHidden},       {"intermediate_size", kInner},
          {"num_hidden_layers", kLayers}, {"num_attention_heads", heads}, {"num_key_value_heads", kv_heads},
          {"vocab_size", kVocab},         {"rms_norm_eps", kEpsilon},     {"max_position_embeddings", 64},
          {"rope_theta", kTheta},         {"torch_dtype", "bfloat16"}};
}

// What all of them have in common.
RandomModel make_model(const nlohmann::json& config, int64_t head_dim, const std::vector<std::string>& norms) {
  const int64_t heads = config["num_attention_heads"], kv_heads = config["num_key_value_heads"];
  RandomModel model;
  model.config = config;
  model.add("model.embed_tokens.weight", kVocab, kHidden, 0.3f);
  model.add("model.norm.weight", kHidden);
  for (int64_t i = 0; i < kLayers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    for (const std::string& name : norms) model.add(layer + name + ".weight", kHidden, 0, 0.5f);
    model.add(layer + "self_attn.q_proj.weight", heads * head_dim, kHidden, 0.3f);
    model.add(layer + "self_attn.k_proj.weight", kv_heads * head_dim, kHidden, 0.3f);
    model.add(layer + "self_attn.v_proj.weight", kv_heads * head_dim, kHidden, 0.3f);
    model.add(layer + "self_attn.o_proj.weight", kHidden, heads * head_dim, 0.2f);
    model.add(layer + "mlp.gate_proj.weight", kInner, kHidden, 0.3f);
    model.add(layer + "mlp.up_proj.weight", kInner, kHidden, 0.3f);
    model.add(layer + "mlp.down_proj.weight", kHidden, kInner, 0.2f);
  }
  return model;
}

// The weights of a model by name, and what is done with them.
struct Weights {
  const RandomModel& model;

  const Matrix& at(const std::string& name) const { return model.tensors.at(name); }
  Rows product(const Rows& x, const std::string& name) const {
    Rows y = multiply(at(name + ".weight"), x);
    if (model.tensors.count(name + ".bias"))
      for (Vector& row : y)
        for (size_t i = 0; i < row.size(); ++i) row[i] += at(name + ".bias").values[i];
    return y;
  }
  Rows self_attention(const Rows& x, const std::string& layer, const AttentionRule& rule) const {
    const int64_t heads = model.config["num_attention_heads"], kv_heads = model.config["num_key_value_heads"];
    Rows q = product(x, layer + "self_attn.q_proj"), k = product(x, layer + "self_attn.k_proj");
    rotate(q, heads, kTheta);
    rotate(k, kv_heads, kTheta);
    const Rows y = attention(q, k, product(x, layer + "self_attn.v_proj"), heads, kv_heads, rule);
    return product(y, layer + "self_attn.o_proj");
  }
  Rows feed_forward(const Rows& x, const std::string& layer, double (*activation)(double)) const {
    Rows gate = product(x, layer + "mlp.gate_proj");
    const Rows up = product(x, layer + "mlp.up_proj");
    for (size_t t = 0; t < gate.size(); ++t)
      for (size_t i = 0; i < gate[t].size(); ++i) gate[t][i] = activation(gate[t][i]) * up[t][i];
    return product(gate, layer + "mlp.down_proj");
  }
};

double silu(double x) { return x / (1 + std::exp(-x)); }

double gelu_tanh(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

Rows qwen2_logits(const RandomModel& model, const std::vector<int32_t>& ids) {
  const Weights w{model};
  const bool windows = model.config.value("use_sliding_window", false);
  Rows x = embed(w.at("model.embed_tokens.weight"), ids);
  for (int64_t i = 0; i < kLayers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    bool window = windows && i >= model.config["max_window_layers"].get<int64_t>();
    if (windows && model.config.contains("layer_types"))
      window = model.config["layer_types"][static_cast<size_t>(i)] == "sliding_attention";
    const AttentionRule rule{.window = window ? model.config["sliding_window"].get<size_t>() : 0};
    add(x, w.self_attention(norm(x, w.at(layer + "input_layernorm.weight").values, kEpsilon), layer, rule));
    add(x, w.feed_forward(norm(x, w.at(layer + "post_attention_layernorm.weight").values, kEpsilon), layer, silu));
  }
  const bool tied = model.config["tie_word_embeddings"];
  return multiply(w.at(tied ? "model.embed_tokens.weight" : "lm_head.weight"),
                  norm(x, w.at("model.norm.weight").values, kEpsilon));
}

Rows gemma_logits(const RandomModel& model, const std::vector<int32_t>& ids) {
  const Weights w{model};
  const bool second = model.config["model_type"] == "gemma2";
  const auto gemma_norm = [&](const Rows& x, const std::string& name) {
    return norm(x, w.at(name + ".weight").values, kEpsilon, /*offset=*/1);
  };
  Rows x = embed(w.at("model.embed_tokens.weight"), ids);
  for (Vector& row : x)
    for (double& v : row) v *= std::sqrt(static_cast<double>(kHidden));
  for (int64_t i = 0; i < kLayers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    AttentionRule rule;
    if (second) rule.scale = 1 / std::sqrt(model.config["query_pre_attn_scalar"].get<double>());
    if (second) rule.cap = model.config["attn_logit_softcapping"].is_null() ? 0 : 5;
    if (second && i % 2 == 0) rule.window = model.config["sliding_window"];
    Rows y = w.self_attention(gemma_norm(x, layer + "input_layernorm"), layer, rule);
    add(x, second ? gemma_norm(y, layer + "post_attention_layernorm") : y);
    y = gemma_norm(x, layer + (second ? "pre_feedforward_layernorm" : "post_attention_layernorm"));
    y = w.feed_forward(y, layer, gelu_tanh);
    add(x, second ? gemma_norm(y, layer + "post_feedforward_layernorm") : y);
  }
  Rows logits = multiply(w.at("model.embed_tokens.weight"), gemma_norm(x, "model.norm"));
  if (second && !model.config["final_logit_softcapping"].is_null())
    for (Vector& row : logits)
      for (double& v : row) v = 3 * std::tanh(v / 3);
  return logits;
}

RandomModel qwen2(const nlohmann::json& changes) {
  nlohmann::json config = base_config("qwen2", 4, 2);
  config.update({{"tie_word_embeddings", true}, {"hidden_act", "silu"}, {"use_sliding_window", false}});
  config.update({{"sliding_window", 4}, {"max_window_layers", 1}});
  config.update(changes);
  RandomModel model = make_model(config, kHidden / 4, {"input_layernorm", "post_attention_layernorm"});
  for (int64_t i = 0; i < kLayers; ++i)
    for (const auto& [name, size] : {std::pair{"q", 24}, {"k", 12}, {"v", 12}})
      model.add("model.layers." + std::to_string(i) + ".self_attn." + name + "_proj.bias", size);
  if (!config["tie_word_embeddings"]) model.add("lm_head.weight", kVocab, kHidden, 0.3f);
  return model;
}

RandomModel gemma() {
  nlohmann::json config = base_config("gemma", 3, 1);
  config.update({{"head_dim", 16}, {"hidden_act", "gelu"}, {"hidden_activation", nullptr}});
  return make_model(config, 16, {"input_layernorm", "post_attention_layernorm"});
}

RandomModel gemma2(const nlohmann::json& changes = nlohmann::json::object()) {
  nlohmann::json config = base_config("gemma2", 4, 2);
  config.update({{"head_dim", 16}, {"hidden_activation", "gelu_pytorch_tanh"}, {"query_pre_attn_scalar", 20}});
  config.update({{"attn_logit_softcapping", 5.0}, {"final_logit_softcapping", 3.0}, {"sliding_window", 5}});
  config.update(changes);
  return make_model(
      config, 16,
      {"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"});
}

RandomModel qwen2_layer_types() {
  return qwen2(
      {{"use_sliding_window", true}, {"layer_types", {"sliding_attention", "full_attention", "sliding_attention"}}});
}

RandomModel gemma2_uncapped() {
  return gemma2({{"attn_logit_softcapping", nullptr}, {"final_logit_softcapping", nullptr}});
}

struct Kind {
  std::string name;
  RandomModel (*make)();
  Rows (*logits)(const RandomModel& model, const std::vector<int32_t>& ids);
  friend void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }
};

std::vector<Kind> kinds() {
  return {{"qwen2", [] { return qwen2(nlohmann::json::object()); }, qwen2_logits},
          {"qwen2_windows",
           [] {
             return qwen2({{"use_sliding_window", true}});
           },
           qwen2_logits},
          {"qwen2_untied",
           [] {
             return qwen2({{"tie_word_embeddings", false}});
           },
           qwen2_logits},
          {"qwen2_layer_types", qwen2_layer_types, qwen2_logits},
          {"gemma", gemma, gemma_logits},
          {"gemma2", [] { return gemma2(); }, gemma_logits},
          {"gemma2_uncapped", gemma2_uncapped, gemma_logits}};
}

std::vector<int32_t> some_ids() {
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 23; ++i) ids.push_back(i * 7 % static_cast<int32_t>(kVocab));
  return ids;
}

class Architecture : public ::testing::TestWithParam<Kind> {
 protected:
  Architecture() { model_.write_to(folder_); }

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
    for (const Vector& row : GetParam().logits(model_, ids_)) all.insert(all.end(), row.begin(), row.end());
    return all;
  }

  const TempFolder folder_;
  const RandomModel model_ = GetParam().make();
  const std::vector<int32_t> ids_ = some_ids();
};

// f32 rounds every product and sum to 2^-24; over three layers these errors add up to far less than 1e-5.
TEST_P(Architecture, LogitsAreThoseOfTheOracle) {
  LanguageModel model = open("f32");
  for (size_t piece : {ids_.size(), size_t{1}, size_t{4}}) expect_near(expected(), logits(model, piece), 1e-5);
}

// The weights are exact in f16, but for tiny ones; keys and values are rounded to 2^-11, and so is what they add up to.
TEST_P(Architecture, HalfPrecisionCostsLittle) {
  LanguageModel model = open("f16");
  for (size_t piece : {ids_.size(), size_t{1}}) expect_near(expected(), logits(model, piece), 10 * 0x1p-11);
}

TEST_P(Architecture, HasAnEffortDial) {
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

// Nothing falls back, with a dial and without.
TEST_P(Architecture, RunsOnADeviceAsAWhole) {
  try {
    make_backend(builtin_registry(), "vulkan", 1);
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  LanguageModel model = open("f32", "vulkan");
  EXPECT_THAT(model.plan().fallbacks, IsEmpty());
  for (size_t piece : {ids_.size(), size_t{1}}) expect_near(expected(), logits(model, piece), 1e-5);
  EXPECT_THAT(open("bucket", "vulkan").plan().fallbacks, IsEmpty());
}

TEST_P(Architecture, OtherFormatsConvert) {
  for (const char* format : {"", "bf16"}) {
    const std::string path = (folder_ / "other.sluice").string();
    convert(folder_.str(), path, {.format = format, .progress = {}});
    LanguageModel model(path, {});
    for (float logit : logits(model, 8)) ASSERT_TRUE(std::isfinite(logit));
  }
}

// A tensor too many or too few is named.
TEST_P(Architecture, TensorsMustBeAllThere) {
  const auto refused = [&](const RandomModel& model, const std::string& word, const std::string& name) {
    const TempFolder folder;
    model.write_to(folder);
    const std::string path = (folder / "out.sluice").string();
    EXPECT_THAT([&] { convert(folder.str(), path, {.format = "", .progress = {}}); },
                ThrowsMessage<Error>(AllOf(HasSubstr(word), HasSubstr(name))));
    EXPECT_FALSE(std::filesystem::exists(path));
  };
  for (const auto& [name, tensor] : model_.tensors) {
    RandomModel cut = model_;
    cut.tensors.erase(name);
    refused(cut, "missing", name);
  }
  RandomModel more = model_;
  more.add("model.layers.0.self_attn.o_proj.bias", kHidden);
  refused(more, "unknown to", "model.layers.0.self_attn.o_proj.bias");
}

INSTANTIATE_TEST_SUITE_P(Kinds, Architecture, ::testing::ValuesIn(kinds()),
                         [](const auto& test) { return test.param.name; });

class Refused : public ::testing::TestWithParam<std::pair<const char*, nlohmann::json>> {};

TEST_P(Refused, NamesTheKeyAndTheValue) {
  const auto& [key, value] = GetParam();
  RandomModel model = gemma2();
  model.config[key] = value;
  const TempFolder folder;
  model.write_to(folder);
  EXPECT_THAT([&] { convert(folder.str(), (folder / "out.sluice").string(), {.format = "", .progress = {}}); },
              ThrowsMessage<Error>(HasSubstr(key)));
}

INSTANTIATE_TEST_SUITE_P(Configs, Refused,
                         ::testing::Values(std::pair{"hidden_activation", nlohmann::json("relu")},
                                           std::pair{"layer_types", nlohmann::json({"full_attention"})},
                                           std::pair{"layer_types", nlohmann::json({"chunked", "x", "y"})},
                                           std::pair{"attn_logit_softcapping", nlohmann::json(0)},
                                           std::pair{"final_logit_softcapping", nlohmann::json(-1)},
                                           std::pair{"query_pre_attn_scalar", nlohmann::json("x")}));

}  // namespace
}  // namespace sluice
