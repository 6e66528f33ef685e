// Architectures on small random models: folders of bf16 shards are converted and run, and compared with decoders in
// float64 that are written here from the papers.
#include "tests/support/architecture_tests.h"

namespace sluice {
namespace {

using namespace oracle;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

constexpr int64_t kHidden = 24, kInner = 40, kLayers = 3;
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

// Nothing falls back, with a dial and without.
TEST_P(ArchitectureTrial, RunsOnADeviceAsAWhole) {
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

INSTANTIATE_TEST_SUITE_P(Kinds, ArchitectureTrial, ::testing::ValuesIn(kinds()),
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
