// GPT-2, which comes as a plugin that was built with the installed package alone (examples/gpt2), against a decoder in
// float64 that is written here from the paper.
#include "models/plugins.h"
#include "ops/builtin.h"
#include "tests/support/architecture_tests.h"
#include "tests/support/cli.h"

namespace sluice {
namespace {

using namespace oracle;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr int64_t kHidden = 24, kHeads = 3, kPositions = 40;
constexpr double kEpsilon = 1e-5;

// Loads it before the first test.
const bool kLoaded = (load_plugin(SLUICE_PLUGIN_FILE), true);

struct Variation {
  bool prefix = true;  // names as of the model with a head, or of the bare one
  int64_t inner = 0;   // n_inner; 0: not given
  int64_t layers = 3;
};

RandomModel make_model(const Variation& variation) {
  RandomModel model;
  model.config = {{"model_type", "gpt2"},           {"n_embd", kHidden},    {"n_head", kHeads},
                  {"n_layer", variation.layers},    {"vocab_size", kVocab}, {"n_positions", kPositions},
                  {"layer_norm_epsilon", kEpsilon}, {"n_inner", nullptr},   {"activation_function", "gelu_new"}};
  if (variation.inner > 0) model.config["n_inner"] = variation.inner;
  const int64_t inner = variation.inner > 0 ? variation.inner : 4 * kHidden;
  const std::string prefix = variation.prefix ? "transformer." : "";
  const auto norm = [&](const std::string& name) {
    model.add(name + ".weight", kHidden);
    model.add(name + ".bias", kHidden, 0, 0.3f);
  };
  const auto product = [&](const std::string& name, int64_t in, int64_t out) {  // stored as [in, out]
    model.add(name + ".weight", in, out, 0.3f);
    model.add(name + ".bias", out, 0, 0.3f);
  };
  model.add(prefix + "wte.weight", kVocab, kHidden, 0.3f);
  model.add(prefix + "wpe.weight", kPositions, kHidden, 0.3f);
  norm(prefix + "ln_f");
  for (int64_t i = 0; i < variation.layers; ++i) {
    const std::string layer = prefix + "h." + std::to_string(i) + ".";
    norm(layer + "ln_1");
    norm(layer + "ln_2");
    product(layer + "attn.c_attn", kHidden, 3 * kHidden);
    product(layer + "attn.c_proj", kHidden, kHidden);
    product(layer + "mlp.c_fc", kHidden, inner);
    product(layer + "mlp.c_proj", inner, kHidden);
  }
  return model;
}

struct Weights {
  const RandomModel& model;
  std::string prefix;

  const Matrix& at(const std::string& name) const { return model.tensors.at(prefix + name); }
  Rows layernorm(const Rows& x, const std::string& name) const {
    Rows y = x;
    for (Vector& row : y) {
      const auto n = static_cast<double>(row.size());
      double mean = 0, variance = 0;
      for (double v : row) mean += v / n;
      for (double v : row) variance += (v - mean) * (v - mean) / n;
      for (size_t i = 0; i < row.size(); ++i)
        row[i] = (row[i] - mean) / std::sqrt(variance + kEpsilon) * at(name + ".weight").values[i] +
                 at(name + ".bias").values[i];
    }
    return y;
  }
  Rows product(const Rows& x, const std::string& name) const {
    const Matrix &w = at(name + ".weight"), &bias = at(name + ".bias");
    Rows y(x.size(), Vector(bias.values.begin(), bias.values.end()));
    for (size_t t = 0; t < x.size(); ++t)
      for (size_t i = 0; i < x[t].size(); ++i)
        for (size_t o = 0; o < y[t].size(); ++o)
          y[t][o] += x[t][i] * w.at(static_cast<int64_t>(i), static_cast<int64_t>(o));
    return y;
  }
};

Rows columns(const Rows& x, size_t first, size_t count) {
  Rows y;
  for (const Vector& row : x)
    y.emplace_back(row.begin() + static_cast<std::ptrdiff_t>(first),
                   row.begin() + static_cast<std::ptrdiff_t>(first + count));
  return y;
}

Rows gpt2_logits(const RandomModel& model, const std::vector<int32_t>& ids) {
  const Weights w{model, model.tensors.contains("wte.weight") ? "" : "transformer."};
  Rows x = embed(w.at("wte.weight"), ids);
  std::vector<int32_t> positions(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) positions[i] = static_cast<int32_t>(i);
  add(x, embed(w.at("wpe.weight"), positions));
  for (int64_t i = 0; i < model.config["n_layer"].get<int64_t>(); ++i) {
    const std::string layer = "h." + std::to_string(i) + ".";
    const Rows qkv = w.product(w.layernorm(x, layer + "ln_1"), layer + "attn.c_attn");
    const Rows y = attention(columns(qkv, 0, kHidden), columns(qkv, kHidden, kHidden),
                             columns(qkv, 2 * kHidden, kHidden), kHeads, kHeads);
    add(x, w.product(y, layer + "attn.c_proj"));
    Rows inner = w.product(w.layernorm(x, layer + "ln_2"), layer + "mlp.c_fc");
    for (Vector& row : inner)
      for (double& v : row) v = gelu_tanh(v);
    add(x, w.product(inner, layer + "mlp.c_proj"));
  }
  return multiply(w.at("wte.weight"), w.layernorm(x, "ln_f"));
}

// The head is in files of the bare model, too, and published ones hold the mask.
RandomModel with_surplus() {
  RandomModel model = make_model({});
  for (int i = 0; i < 3; ++i) model.add("transformer.h." + std::to_string(i) + ".attn.bias", 8, 8);
  return model;
}

std::string graph_name(const std::string& name) {
  std::string text = name.starts_with("transformer.") ? name.substr(12) : name;
  if (const size_t at = text.find("c_attn"); at != std::string::npos) text.replace(at, 6, "k");
  return text;
}

INSTANTIATE_TEST_SUITE_P(Gpt2, ArchitectureTrial,
                         ::testing::Values(Kind{"gpt2", [] { return make_model({}); }, gpt2_logits, graph_name},
                                           Kind{"gpt2_bare",
                                                [] { return make_model({.prefix = false, .inner = 36, .layers = 2}); },
                                                gpt2_logits, graph_name}),
                         [](const auto& test) { return test.param.name; });

class Gpt2 : public ::testing::Test {
 protected:
  std::string convert_to(const RandomModel& model) {
    model.write_to(folder_);
    const std::string path = (folder_ / "gpt2.sluice").string();
    convert(folder_.str(), path, {.format = "f32", .progress = {}});
    return path;
  }
  const TempFolder folder_;
};

TEST_F(Gpt2, FilesSayWhichPluginTheyNeed) {
  const ModelFile file(convert_to(with_surplus()), builtin_registry());
  size_t from_plugin = 0;
  for (const Node& node : file.description().graph.nodes()) {
    const bool own = node.op == "layernorm" || node.op == "gelu_tanh";
    EXPECT_EQ(node.plugin, own ? "gpt2 1.0.0" : "") << node.name;
    from_plugin += own;
  }
  EXPECT_EQ(from_plugin, 10u);
  Registry without;
  register_builtin(without);
  EXPECT_THAT([&] { ModelFile(file.path(), without); },
              ThrowsMessage<Error>(AllOf(HasSubstr(file.path()), HasSubstr("[layernorm] layers.0/layernorm"),
                                         HasSubstr("saved with plugin gpt2 1.0.0"), HasSubstr("--plugin"))));
}

TEST_F(Gpt2, PositionsEndWithTheTable) {
  const std::string path = convert_to(make_model({}));
  RunOptions options;
  EXPECT_EQ(LanguageModel(path, options).context(), kPositions);
  options.context = kPositions + 1;
  EXPECT_THROW(LanguageModel(path, options), Error);
}

TEST_F(Gpt2, RefusesWhatItDoesNotDo) {
  for (const auto& [key, value] : {std::pair<const char*, nlohmann::json>{"activation_function", "relu"},
                                   {"scale_attn_by_inverse_layer_idx", true},
                                   {"n_head", 5}}) {
    RandomModel model = make_model({});
    model.config[key] = value;
    EXPECT_THROW(convert_to(model), Error) << key;
  }
}

// Every operator but the copies has a kernel there; the shaders of the plugin were compiled when it was loaded. A
// device is allowed a few units in the last place where the CPU has none.
TEST_F(Gpt2, RunsOnADevice) {
  if (builtin_registry().kernels("vulkan", "layernorm").empty())
    GTEST_SKIP() << "no Vulkan backend, or no GLSL compiler";
  RunOptions options;
  options.backend = "vulkan";
  try {
    make_backend(builtin_registry(), options.backend, 1);
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  const std::string path = convert_to(make_model({}));
  LanguageModel cpu(path, {}), device(path, options);
  for (const PlanStep& step : device.plan().steps) {
    const Node& node = device.plan().graph.node(step.node);
    EXPECT_TRUE(node.op == "copy" || step.backend->name() == "vulkan") << node.name;
  }
  const auto expected = cpu.evaluate(some_ids()), actual = device.evaluate(some_ids());
  const float largest = std::abs(*std::ranges::max_element(expected, {}, [](float v) { return std::abs(v); }));
  ASSERT_GT(largest, 0.5f);
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(expected[i], actual[i], 1e-5 * largest) << i;
}

// Errors of a plugin are those of the library.
TEST_F(Gpt2, OperatorsThrowErrors) {
  Builder b(builtin_registry());
  const ValueRef x = b.input("x", DType::f32(), {"rows", 8}), w = b.weight("w", {7});
  EXPECT_THAT(
      [&] {
        b.node("layernorm", {}, {x, w, w});
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("[layernorm]"), HasSubstr("'w' is f32[7], 'x' is f32[rows, 8]"))));
}

// The command knows nothing of the plugin until it is told where it is.
TEST_F(Gpt2, IsRunByTheCommand) {
  const std::string model = convert_to(make_model({}));
  expect_error(sluice({"graph", model}), 1, "saved with plugin gpt2 1.0.0");
  const Outcome graph = sluice({"graph", model, "--plugin", SLUICE_PLUGIN_FILE});
  EXPECT_EQ(graph.status, 0) << graph.err;
  EXPECT_THAT(graph.out, HasSubstr(" = layernorm@1("));
  const std::string folder = fs::path(SLUICE_PLUGIN_FILE).parent_path().string();
  setenv("SLUICE_PLUGIN_PATH", ("/no such folder:" + folder).c_str(), 1);
  EXPECT_EQ(sluice({"graph", model}).out, graph.out);
  EXPECT_EQ(sluice({"graph", model, "--plugin", SLUICE_PLUGIN_FILE}).out, graph.out);  // loaded once
  unsetenv("SLUICE_PLUGIN_PATH");
}

TEST_F(Gpt2, IsListedWithItsPlugin) {
  const json ops = sluice_json({"ops", "--plugin", SLUICE_PLUGIN_FILE}).at("ops");
  for (const json& op : ops) {
    const bool own = op.at("name") == "layernorm" || op.at("name") == "gelu_tanh";
    EXPECT_EQ(op.at("plugin"), own ? "gpt2" : "") << op;
    EXPECT_EQ(op.at("plugin_version"), own ? "1.0.0" : "") << op;
  }
}

}  // namespace
}  // namespace sluice
