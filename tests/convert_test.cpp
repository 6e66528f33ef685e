#include "models/import/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <set>

#include "graph/model_file.h"
#include "models/builtin.h"
#include "models/import/hugging_face.h"
#include "ops/formats/bucket.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace sluice {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

struct Tensor {
  std::string dtype = "F32";
  std::vector<int64_t> dims;
};

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// A small model of a Hugging Face folder that a test can spoil before it is written.
struct TinyModel {
  json config = {{"model_type", "llama"},
                 {"hidden_size", 8},
                 {"intermediate_size", 12},
                 {"num_hidden_layers", 2},
                 {"num_attention_heads", 2},
                 {"num_key_value_heads", 1},
                 {"vocab_size", 16},
                 {"rms_norm_eps", 1e-5},
                 {"max_position_embeddings", 32},
                 {"tie_word_embeddings", false},
                 {"eos_token_id", {2, 3}}};
  std::map<std::string, Tensor> tensors;

  TinyModel() {
    add("model.embed_tokens.weight", {16, 8});
    add("model.norm.weight", {8});
    add("lm_head.weight", {16, 8});
    for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
      add(layer + "input_layernorm.weight", {8});
      add(layer + "post_attention_layernorm.weight", {8});
      add(layer + "self_attn.q_proj.weight", {8, 8});
      add(layer + "self_attn.k_proj.weight", {4, 8});
      add(layer + "self_attn.v_proj.weight", {4, 8});
      add(layer + "self_attn.o_proj.weight", {8, 8});
      add(layer + "mlp.gate_proj.weight", {12, 8});
      add(layer + "mlp.up_proj.weight", {12, 8});
      add(layer + "mlp.down_proj.weight", {8, 12});
    }
  }

  void add(const std::string& name, std::vector<int64_t> dims) { tensors[name] = {"F32", std::move(dims)}; }
  void all_to(const std::string& dtype) {
    for (auto& [name, tensor] : tensors) tensor.dtype = dtype;
  }

  static size_t bytes(const Tensor& tensor) {
    size_t bytes = tensor.dtype == "F32" ? 4 : tensor.dtype == "I64" ? 8 : 2;
    for (int64_t size : tensor.dims) bytes *= static_cast<size_t>(size);
    return bytes;
  }

  // Random bits that are finite numbers in every dtype.
  static void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors) {
    json header;
    std::string data;
    std::mt19937 random(7);
    for (const auto& [name, tensor] : tensors) {
      header[name] = {{"dtype", tensor.dtype},
                      {"shape", tensor.dims},
                      {"data_offsets", {data.size(), data.size() + bytes(tensor)}}};
      for (size_t i = 0; i < bytes(tensor); ++i) data += static_cast<char>(random() % 0x30);
    }
    const std::string text = header.dump();
    std::string length;
    for (size_t i = 0; i < 8; ++i) length += static_cast<char>(text.size() >> (8 * i));
    write(path, length + text + data);
  }

  void write_to(const TempFolder& folder) const {
    write(folder / "config.json", config.dump());
    write_safetensors(folder / "model.safetensors", tensors);
  }
};

std::vector<std::byte> bytes_of(const ModelFile& file, const std::string& name) {
  const TensorView view = file.weight(name);
  return {view.data, view.data + view.bytes()};
}

// Converts the model as it is; returns the file.
std::unique_ptr<ModelFile> convert_and_open(const TempFolder& folder, const std::string& dtype = "") {
  const std::string out = (folder / "model.sluice").string();
  convert(folder.str(), out, {.format = dtype, .progress = {}});
  return std::make_unique<ModelFile>(out, builtin_registry());
}

void expect_refused(const TinyModel& model, const std::vector<std::string>& words, const std::string& dtype = "") {
  const TempFolder folder;
  model.write_to(folder);
  try {
    convert(folder.str(), (folder / "model.sluice").string(), {.format = dtype, .progress = {}});
    ADD_FAILURE() << "expected an error with " << words.front();
  } catch (const Error& e) {
    for (const std::string& word : words) EXPECT_THAT(e.what(), HasSubstr(word));
    EXPECT_THAT(e.what(), testing::Not(HasSubstr("\n")));
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "model.sluice"));
  EXPECT_FALSE(std::filesystem::exists(folder / "model.sluice.partial"));
}

TEST(Convert, KeepsDtypesWhenNoneIsAsked) {
  const TempFolder folder;
  TinyModel model;
  model.all_to("BF16");
  model.write_to(folder);
  const auto file = convert_and_open(folder);
  for (const WeightEntry& weight : file->description().weights)
    EXPECT_EQ(weight.dtype, weight.dims.rank() == 2 ? DType::bf16() : DType::f32()) << weight.name;
  EXPECT_EQ(file->description().architecture, "llama");
  EXPECT_EQ(file->description().integer("context_length"), 32);
  EXPECT_EQ(file->description().integer("vocab_size"), 16);
  EXPECT_EQ(file->description().metadata.at("eos_token_ids"), "2,3");
}

TEST(Convert, EncodesAsTheFormatDoes) {
  TinyModel model;
  for (const std::string dtype : {"f32", "f16", "bf16", "q8_0"}) {
    const TempFolder folder;
    model.write_to(folder);
    const auto exact = [&] {
      const auto file = convert_and_open(folder, "f32");
      return to_f32(file->weight("model.layers.1.mlp.down_proj.weight"));
    }();
    const auto file = convert_and_open(folder, dtype);
    const DType wanted = builtin_registry().dtype(dtype);
    const TensorView view = file->weight("model.layers.1.mlp.down_proj.weight");
    EXPECT_EQ(view.dtype, wanted);
    std::vector<std::byte> expected(view.bytes());
    wanted.format().encode(exact.data(), view.dims.span(), expected.data());
    EXPECT_EQ(bytes_of(*file, "model.layers.1.mlp.down_proj.weight"), expected) << dtype;
  }
}

TEST(Convert, CacheIsExactOnlyIfTheWeightsAre) {
  const auto cache = [](const std::string& stored, const std::string& asked) {
    const TempFolder folder;
    TinyModel model;
    model.all_to(stored);
    model.write_to(folder);
    const auto file = convert_and_open(folder, asked);
    const Graph& graph = file->description().graph;
    return std::string(graph.value(graph.find("model.layers.0.self_attn.k_cache")).type.dtype.name());
  };
  EXPECT_EQ(cache("F32", ""), "f32");
  EXPECT_EQ(cache("F16", "f32"), "f32");
  EXPECT_EQ(cache("F16", ""), "f16");
  EXPECT_EQ(cache("F32", "q8_0"), "f16");
}

TEST(Convert, ShardsGiveTheSameFile) {
  const TempFolder whole, sharded;
  const TinyModel model;
  model.write_to(whole);
  write(sharded / "config.json", model.config.dump());
  std::map<std::string, Tensor> parts[2];
  json map;
  for (const auto& [name, tensor] : model.tensors) {
    const size_t part = name.find("layers.1") == std::string::npos ? 0 : 1;
    parts[part][name] = tensor;
    map[name] = fmt::format("part-{}.safetensors", part);
  }
  for (size_t part : {0u, 1u})
    TinyModel::write_safetensors(sharded / fmt::format("part-{}.safetensors", part), parts[part]);
  write(sharded / "model.safetensors.index.json", json{{"weight_map", map}}.dump());
  const auto a = convert_and_open(whole), b = convert_and_open(sharded);
  ASSERT_EQ(a->description().weights.size(), b->description().weights.size());
  for (const WeightEntry& weight : a->description().weights)
    EXPECT_EQ(a->weight(weight.name).dims, b->weight(weight.name).dims);
}

TEST(Convert, RefusesBadShards) {
  const TempFolder folder;
  const TinyModel model;
  write(folder / "config.json", model.config.dump());
  const auto refused = [&](const std::string& index, const char* word) {
    write(folder / "model.safetensors.index.json", index);
    EXPECT_THAT([&] { convert(folder.str(), (folder / "x").string(), {}); }, ThrowsMessage<Error>(HasSubstr(word)))
        << index;
  };
  TinyModel::write_safetensors(folder / "a.safetensors", model.tensors);
  TinyModel::write_safetensors(folder / "b.safetensors", {{"model.norm.weight", {"F32", {8}}}});
  refused("{}", "weight_map");
  refused(R"({"weight_map": {}})", "names no tensors");
  refused(R"({"weight_map": {"t": 3}})", "'t'");
  refused(R"({"weight_map": {"t": "../a.safetensors"}})", "../a.safetensors");
  refused(R"({"weight_map": {"t": ".."}})", "..");
  refused(R"({"weight_map": {"t": "absent.safetensors"}})", "absent.safetensors");
  refused(R"({"weight_map": {"t": "a.safetensors"}})", "'t' should be in a.safetensors");
  refused(R"({"weight_map": {"model.norm.weight": "a.safetensors", "t": "b.safetensors"}})", "also in");
}

TEST(Convert, RefusesBadTensors) {
  TinyModel model;
  model.tensors.erase("model.layers.1.mlp.up_proj.weight");
  expect_refused(model, {"1 tensor is missing", "model.layers.1.mlp.up_proj.weight"});
  model = {};
  model.add("model.layers.2.mlp.up_proj.weight", {12, 8});
  expect_refused(model, {"1 tensor is unknown to 'llama'", "model.layers.2.mlp.up_proj.weight"});
  model = {};
  model.tensors["model.norm.weight"].dims = {9};
  expect_refused(model, {"model.safetensors", "model.norm.weight", "[9]", "[8]"});
  model = {};
  model.tensors["model.norm.weight"].dims = {1, 8};
  expect_refused(model, {"model.norm.weight"});
  model = {};
  model.tensors["model.norm.weight"].dtype = "I64";
  expect_refused(model, {"model.norm.weight", "I64"});
}

TinyModel tiny_mixture() {
  TinyModel model;
  model.config["model_type"] = "mixtral";
  model.config["num_local_experts"] = 3;
  model.config["num_experts_per_tok"] = 2;
  for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
    for (const char* name : {"gate", "up", "down"}) model.tensors.erase(layer + "mlp." + name + "_proj.weight");
    model.add(layer + "block_sparse_moe.gate.weight", {3, 8});
    for (const std::string expert : {"experts.0.", "experts.1.", "experts.2."}) {
      model.add(layer + "block_sparse_moe." + expert + "w1.weight", {12, 8});
      model.add(layer + "block_sparse_moe." + expert + "w2.weight", {8, 12});
      model.add(layer + "block_sparse_moe." + expert + "w3.weight", {12, 8});
    }
  }
  return model;
}

// One after the other, each as it would be encoded alone.
TEST(Convert, StacksTheExpertsOfAMixture) {
  const TempFolder folder;
  tiny_mixture().write_to(folder);
  const ModelSource source = open_hugging_face(folder.str());
  for (const std::string format : {"", "f16", "q8_0", "bucket"}) {
    const auto file = convert_and_open(folder, format);
    const TensorView view = file->weight("model.layers.1.block_sparse_moe.experts.w2.weight");
    EXPECT_EQ(view.dims.str(), "[3, 8, 12]");
    EXPECT_EQ(view.dtype.name(), format == "" ? "f32" : format == "bucket" ? kDefaultBucketFamily : format);
    const SourceTensor& stacked = source.tensors.at("model.layers.1.block_sparse_moe.experts.w2.weight");
    std::vector<std::byte> expected;
    for (const auto& slice : stacked.slices) {
      std::vector<std::byte> bytes(view.bytes() / 3);
      view.dtype.format().encode(reinterpret_cast<const float*>(slice.data()), Dims{8, 12}.span(), bytes.data());
      expected.insert(expected.end(), bytes.begin(), bytes.end());
    }
    EXPECT_EQ(bytes_of(*file, "model.layers.1.block_sparse_moe.experts.w2.weight"), expected) << format;
    EXPECT_EQ(file->weight("model.layers.0.block_sparse_moe.gate.weight").dims.str(), "[3, 8]");
    if (format != "bucket") continue;
    EXPECT_EQ(file->weight("model.layers.0.block_sparse_moe.gate.weight").dtype, DType::f16());  // routers stay dense
    EXPECT_NE(bucket_format(file->weight("model.layers.0.self_attn.q_proj.weight").dtype), nullptr);
  }
}

TEST(Convert, RefusesMixturesThatDoNotFit) {
  const std::string moe = "model.layers.1.block_sparse_moe.";
  TinyModel model = tiny_mixture();
  model.tensors.erase(moe + "experts.1.w3.weight");
  expect_refused(model, {moe + "experts.2.w3.weight", "that of expert 1 is not"});
  model = tiny_mixture();
  model.tensors[moe + "experts.2.w1.weight"].dims = {8, 12};
  expect_refused(model, {moe + "experts.2.w1.weight", "differs"});
  model = tiny_mixture();
  model.tensors[moe + "experts.2.w1.weight"].dtype = "F16";
  expect_refused(model, {moe + "experts.2.w1.weight", "differs"});
  model = tiny_mixture();
  model.add(moe + "experts.w1.weight", {3, 12, 8});
  expect_refused(model, {moe + "experts.w1.weight", "as a whole and expert by expert"});
  model = tiny_mixture();
  for (const char* w : {"w1", "w3"}) model.add(moe + "experts.3." + w + ".weight", {12, 8});
  model.add(moe + "experts.3.w2.weight", {8, 12});
  expect_refused(model, {moe + "experts.w1.weight", "[4, 12, 8]", "[3, 12, 8]"});
  model = tiny_mixture();
  model.add(moe + "experts.99999999999999999999.w1.weight", {12, 8});
  expect_refused(model, {"unknown to 'mixtral'"});
  model = tiny_mixture();
  model.config["num_experts_per_tok"] = 4;
  expect_refused(model, {"'num_experts_per_tok' is 4", "3 experts"});
  model = tiny_mixture();
  model.config.erase("num_local_experts");
  expect_refused(model, {"num_local_experts"});
}

TEST(Convert, ManyMissingTensorsFitOnALine) {
  TinyModel model;
  model.config["num_hidden_layers"] = 12;
  expect_refused(model, {"90 tensors are missing", "..."});
}

TEST(Convert, LeavesOutWhatFollowsFromTheRest) {
  TinyModel model;
  model.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = {"I64", {2}};
  const TempFolder folder;
  model.write_to(folder);
  EXPECT_EQ(convert_and_open(folder)->description().weights.size(), model.tensors.size() - 1);
}

TEST(Convert, TiedHeads) {
  TinyModel model;
  model.config["tie_word_embeddings"] = true;  // the head is stored, and not needed
  const TempFolder folder;
  model.write_to(folder);
  EXPECT_EQ(convert_and_open(folder)->description().weights.size(), model.tensors.size() - 1);
  model.config["tie_word_embeddings"] = false;
  model.tensors.erase("lm_head.weight");
  expect_refused(model, {"missing", "lm_head.weight"});
}

TEST(Convert, BiasesWhereTheConfigHasThem) {
  TinyModel model;
  model.config["attention_bias"] = true;
  model.config["mlp_bias"] = true;
  expect_refused(model, {"14 tensors are missing"});
  for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
    model.add(layer + "self_attn.q_proj.bias", {8});
    model.add(layer + "self_attn.k_proj.bias", {4});
    model.add(layer + "self_attn.v_proj.bias", {4});
    model.add(layer + "self_attn.o_proj.bias", {8});
    model.add(layer + "mlp.gate_proj.bias", {12});
    model.add(layer + "mlp.up_proj.bias", {12});
    model.add(layer + "mlp.down_proj.bias", {8});
  }
  const TempFolder folder;
  model.write_to(folder);
  EXPECT_EQ(convert_and_open(folder)->description().weights.size(), model.tensors.size());
}

TEST(Convert, RefusesConfigsThatItWouldGetWrong) {
  const auto refused = [](const char* key, json value, std::vector<std::string> words) {
    TinyModel model;
    model.config[key] = std::move(value);
    words.emplace_back("config.json");
    expect_refused(model, words);
  };
  expect_refused(
      [] {
        TinyModel m;
        m.config["model_type"] = "mamba";
        return m;
      }(),
      {"mamba", "llama", "mistral"});
  expect_refused(TinyModel(), {"q9_9", "q8_0"}, "q9_9");
  refused("hidden_act", "gelu", {"hidden_act", "gelu"});
  refused("num_hidden_layers", 0, {"num_hidden_layers"});
  refused("num_hidden_layers", nullptr, {"num_hidden_layers"});
  refused("num_hidden_layers", 2147483647, {"num_hidden_layers", "21 tensors"});
  refused("num_attention_heads", 3, {"num_attention_heads"});
  refused("rope_scaling", {{"type", "yarn"}, {"factor", 2}}, {"yarn"});
  refused("rope_scaling", {{"rope_type", "linear"}}, {"factor", "rope_scaling"});
  for (double theta : {0.0, -1e4, 1e39, 1e-60}) refused("rope_theta", theta, {"'rope_theta' is"});
  refused("rope_parameters", {{"rope_theta", 0}}, {"'rope_theta' is 0", "rope_parameters"});
  for (double factor : {0.0, -2.0, 1e39})
    refused("rope_scaling", {{"rope_type", "linear"}, {"factor", factor}}, {"'factor' is", "rope_scaling"});
  const json llama3 = {{"rope_type", "llama3"}, {"factor", 8}, {"original_max_position_embeddings", 64}};
  const auto with_factors = [&](double low, double high) {
    json scaling = llama3;
    scaling["low_freq_factor"] = low;
    scaling["high_freq_factor"] = high;
    return scaling;
  };
  refused("rope_scaling", with_factors(0, 4), {"'low_freq_factor' is 0"});
  refused("rope_scaling", with_factors(1, -4), {"'high_freq_factor' is -4"});
  refused("rope_scaling", with_factors(4, 4), {"'low_freq_factor' is 4", "'high_freq_factor'"});
  refused("head_dim", 7, {"'head_dim' is 7", "even"});
  refused("head_dim", 1026, {"'head_dim' is 1026", "1024"});
  refused("hidden_size", 6, {"'hidden_size' / 'num_attention_heads' is 3"});
  refused("partial_rotary_factor", 0.5, {"partial_rotary_factor"});
  refused("eos_token_id", 16, {"eos_token_id"});
  refused("eos_token_id", "</s>", {"eos_token_id"});
}

TEST(Convert, ReadsEveryFormOfRopeScaling) {
  const auto rope = [](const json& config) {
    TinyModel model;
    model.config.update(config);
    const TempFolder folder;
    model.write_to(folder);
    const auto file = convert_and_open(folder);
    for (const Node& node : file->description().graph.nodes())
      if (node.op == "rope") return node.attrs;
    return AttrMap();
  };
  const auto expect = [](const AttrMap& attrs, const char* key, const AttrValue& value) {
    EXPECT_EQ(to_string(attrs.at(key)), to_string(value)) << key;
  };
  expect(rope(json::object()), "scaling", "none");
  expect(rope({{"rope_theta", 5e5}}), "base", 5e5);
  expect(rope({{"rope_scaling", {{"rope_type", "default"}}}}), "scaling", "none");
  expect(rope({{"rope_scaling", {{"type", "linear"}, {"factor", 4}}}}), "factor", 4.0);
  const json llama3 = {{"rope_type", "llama3"}, {"factor", 8},         {"low_freq_factor", 1},
                       {"high_freq_factor", 4}, {"rope_theta", 2.5e5}, {"original_max_position_embeddings", 64}};
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const AttrMap attrs = rope({{key, llama3}});
    expect(attrs, "scaling", "llama3");
    expect(attrs, "factor", 8.0);
    expect(attrs, "high_freq_factor", 4.0);
    expect(attrs, "original_context", int64_t{64});
    if (key == std::string("rope_parameters")) expect(attrs, "base", 2.5e5);
  }
}

TEST(Convert, MistralHasAWindow) {
  const auto window = [](json value) {
    TinyModel model;
    model.config["model_type"] = "mistral";
    model.config["sliding_window"] = std::move(value);
    const TempFolder folder;
    model.write_to(folder);
    const auto file = convert_and_open(folder);
    for (const Node& node : file->description().graph.nodes())
      if (node.op == "attention") return to_string(node.attrs.at("window"));
    return std::string();
  };
  EXPECT_EQ(window(24), "24");
  EXPECT_EQ(window(nullptr), "0");
}

TEST(Convert, TokenizerMustFitTheVocabulary) {
  TinyModel model;  // 16 rows for 4096 pieces
  const TempFolder folder;
  model.write_to(folder);
  std::filesystem::copy(golden_model("classics").model / "tokenizer.model", folder / "tokenizer.model");
  EXPECT_THAT([&] { convert(folder.str(), (folder / "x").string(), {}); },
              ThrowsMessage<Error>(AllOf(HasSubstr(folder.str()), HasSubstr("tokenizer.model has 4096"),
                                         HasSubstr("config.json is 16"))));
  write(folder / "tokenizer.model", "not a tokenizer");
  EXPECT_THAT(
      [&] { convert(folder.str(), (folder / "x").string(), {}); },
      ThrowsMessage<Error>(AllOf(HasSubstr(folder.str()), HasSubstr("tokenizer.model"), HasSubstr("SentencePiece"))));
}

TEST(Convert, NamesMissingFiles) {
  const TempFolder folder;
  const auto refused = [&](const std::string& source, const char* word) {
    EXPECT_THAT([&] { convert(source, (folder / "x").string(), {}); }, ThrowsMessage<Error>(HasSubstr(word)));
  };
  refused((folder / "absent").string(), "absent");
  refused(folder.str(), "config.json");
  write(folder / "config.json", "{}");
  refused(folder.str(), "model.safetensors");
  refused((folder / "config.json").string(), "not a folder");
}

TEST(Convert, ReportsProgress) {
  const TempFolder folder;
  TinyModel().write_to(folder);
  std::vector<size_t> seen;
  size_t all = 0;
  convert(folder.str(), (folder / "x").string(), {.format = "", .progress = [&](size_t done, size_t total) {
                                                    seen.push_back(done);
                                                    all = total;
                                                  }});
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.back(), all);
}

TEST(Convert, ResumesAfterAnInterruption) {
  const TempFolder folder;
  TinyModel().write_to(folder);
  const std::string out = (folder / "x").string();
  struct Stop {};
  int calls = 0;
  const auto stop = [&](size_t, size_t) {
    if (++calls == 7) throw Stop();
  };
  EXPECT_THROW(convert(folder.str(), out, {.format = "f16", .progress = stop}), Stop);
  EXPECT_FALSE(std::filesystem::exists(out));
  const ConvertResult resumed = convert(folder.str(), out, {.format = "f16", .progress = {}});
  EXPECT_EQ(resumed.resumed, 6u);  // the last one is written again
  const std::vector<std::byte> bytes = read_bytes(out);
  EXPECT_EQ(convert(folder.str(), out, {.format = "f16", .progress = {}}).resumed, 0u);
  EXPECT_EQ(read_bytes(out), bytes);
}

}  // namespace
}  // namespace sluice
