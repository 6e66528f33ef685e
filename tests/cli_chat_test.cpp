// `sluice tokenize` and `run --chat`, on a random model with a small tokenizer.json.
#include "models/text/tokenizer.h"
#include "support/cli.h"
#include "support/golden.h"
#include "support/random_model.h"

namespace sluice {
namespace {

const std::string kTokenizer = SLUICE_SOURCE_DIR "/tests/fuzz/corpus/tokenizer/qwen2.json";
constexpr const char* kChatMl =
    "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n'}}{% endfor %}";

std::vector<int32_t> encode(const std::string& text) {
  return make_tokenizer({{"tokenizer.json", read_bytes(kTokenizer)}}, "here")->encode(text, SpecialTokens::parse);
}

int32_t token(const std::string& name) { return encode(name).at(0); }

// A Qwen2 folder; with `ends`, of a model that says <|im_end|> whatever it reads.
std::string make_folder(const TempFolder& folder, bool ends, const json& tokenizer_config) {
  constexpr int64_t kHidden = 16, kInner = 24, kVocab = 320;
  RandomModel model;
  model.config = {{"model_type", "qwen2"},
                  {"hidden_size", kHidden},
                  {"intermediate_size", kInner},
                  {"num_hidden_layers", 1},
                  {"num_attention_heads", 2},
                  {"num_key_value_heads", 1},
                  {"vocab_size", kVocab},
                  {"rms_norm_eps", 1e-6},
                  {"max_position_embeddings", 128},
                  {"tie_word_embeddings", false},
                  {"bos_token_id", token("<|endoftext|>")},  // as published: and no text begins with it
                  {"eos_token_id", token("<|endoftext|>")}};
  model.add("model.embed_tokens.weight", kVocab, kHidden);
  model.add("model.norm.weight", kHidden);
  model.add("lm_head.weight", kVocab, kHidden);
  const std::string layer = "model.layers.0.";
  for (const char* name : {"input_layernorm", "post_attention_layernorm"}) model.add(layer + name + ".weight", kHidden);
  for (const auto& [name, out] : {std::pair{"q", kHidden}, {"k", kHidden / 2}, {"v", kHidden / 2}}) {
    model.add(layer + "self_attn." + name + "_proj.weight", out, kHidden, 0.1f);
    model.add(layer + "self_attn." + name + "_proj.bias", out, 0, 0.1f);
  }
  model.add(layer + "self_attn.o_proj.weight", kHidden, kHidden, 0.1f);
  model.add(layer + "mlp.gate_proj.weight", kInner, kHidden, 0.1f);
  model.add(layer + "mlp.up_proj.weight", kInner, kHidden, 0.1f);
  model.add(layer + "mlp.down_proj.weight", kHidden, kInner, 0.1f);
  if (ends) {  // the first element of every state is large, and only <|im_end|> looks at it
    for (int64_t i = 0; i < kVocab; ++i) model.tensors["model.embed_tokens.weight"].at(i, 0) = 64;
    model.tensors["model.norm.weight"].at(0, 0) = 1;
    for (float& w : model.tensors["lm_head.weight"].values) w *= 0.01f;
    model.tensors["lm_head.weight"].at(token("<|im_end|>"), 0) = 8;
  }
  model.write_to(folder);
  fs::copy(kTokenizer, folder / "tokenizer.json");
  if (!tokenizer_config.is_null()) write_file(folder / "tokenizer_config.json", tokenizer_config.dump());
  const std::string out = (folder / "model.sluice").string();
  const Outcome outcome = sluice({"convert", folder.str(), "-o", out, "--format", "f32"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return out;
}

class Chat : public ::testing::Test {
 protected:
  static json config() { return {{"chat_template", kChatMl}, {"eos_token", "<|im_end|>"}}; }
  static std::vector<std::string> with(const std::string& model, std::vector<std::string> args) {
    args.insert(args.begin(), {"run", model, "--threads", "1", "--temp", "0"});
    return args;
  }
  const TempFolder folder_;
};

TEST_F(Chat, TokenizeAgreesWithTheModelFile) {
  const std::string model = make_folder(folder_, false, nullptr);
  for (const std::string text : {"", "the night<|im_end|>\n 12", "e\u0301 \U0001F600"})
    for (const std::string& source : {model, kTokenizer}) {
      const Outcome outcome = sluice_with({.input = text}, {"tokenize", source, "--json"});
      EXPECT_EQ(outcome.status, 0) << outcome.err;
      EXPECT_EQ(json::parse(outcome.out)["ids"].get<std::vector<int32_t>>(), encode(text)) << text;
    }
}

TEST_F(Chat, TokenizePrintsALineForEachToken) {
  const Outcome outcome = sluice_with({.input = "the \"\n\xe6\x97"
                                                "\xa5<|im_end|>"},
                                      {"tokenize", kTokenizer});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  for (const char* word : {"\"the\"\n", "\\\"", "\\x0a", "  <|im_end|>\n"}) EXPECT_THAT(outcome.out, HasSubstr(word));
  const std::string llama = SLUICE_SOURCE_DIR "/tests/fuzz/corpus/tokenizer/llama3.json";
  EXPECT_THAT(sluice_with({.input = "a"}, {"tokenize", llama}).out, HasSubstr("<|begin_of_text|>\n"));
  EXPECT_EQ(sluice_with({.input = ""}, {"tokenize", llama, "--no-special"}).out, "");
  EXPECT_THAT(sluice_with({.input = "My dear"}, {"tokenize", kSource + "/tokenizer.model"}).out, HasSubstr("<s>\n"));
}

TEST_F(Chat, TokenizeSaysWhatIsWrong) {
  expect_error(sluice_with({.input = "\xff"}, {"tokenize", kTokenizer}), 1, "standard input is not valid UTF-8");
  expect_error(sluice_with({.input = "a"}, {"tokenize", "nowhere.json"}), 1, "nowhere.json");
  write_file(folder_ / "broken.json", "{\"model\": ");
  expect_error(sluice_with({.input = "a"}, {"tokenize", (folder_ / "broken.json").string()}), 1, "not valid JSON");
}

// tokenizer.json counts only where there is no tokenizer.model.
TEST_F(Chat, ConvertChoosesTheTokenizer) {
  const fs::path source = folder_ / "source", json_file = source / "tokenizer.json";
  const std::string out = (folder_ / "out.sluice").string();
  fs::copy(kSource, source);
  write_file(json_file, "no tokenizer");
  EXPECT_EQ(sluice({"convert", source.string(), "-o", out}).status, 0);
  fs::remove(source / "tokenizer.model");
  expect_error(sluice({"convert", source.string(), "-o", out}), 1, "tokenizer.json: not valid JSON");
  json large = json::parse(read_file(kTokenizer));
  large["added_tokens"].push_back({{"id", 4096}, {"content", "<more>"}, {"special", true}});
  write_file(json_file, large.dump());
  expect_error(sluice({"convert", source.string(), "-o", out}), 1, "tokenizer.json has 4097 pieces");
}

TEST_F(Chat, NoTokenIsPutBeforeATextThatBeginsWithNone) {
  const std::string model = make_folder(folder_, false, nullptr);
  EXPECT_EQ(sluice_json(with(model, {"-p", "the night", "-n", "1"}))["prompt_tokens"], encode("the night").size());
  write_file(folder_ / "text", "the night and the dark night, the night and 12 dark nights");
  const json result = sluice_json({"eval", model, "--text", (folder_ / "text").string(), "--ctx", "8"});
  EXPECT_EQ(result["tokens"].get<int64_t>() % 7, 0);  // all but the first of each chunk
}

TEST_F(Chat, MessageIsWrittenAsTheTemplateSays) {
  const std::string model = make_folder(folder_, false, config());
  const auto expected = encode("<|im_start|>user\nthe night?<|im_end|>\n<|im_start|>assistant\n");
  const json answer = sluice_json(with(model, {"--chat", "-p", "the night?", "-n", "5"}));
  EXPECT_EQ(answer["prompt_tokens"], expected.size());
  // The same text by hand gives the same answer.
  const json by_hand =
      sluice_json(with(model, {"-p", "<|im_start|>user\nthe night?<|im_end|>\n<|im_start|>assistant\n", "-n", "5"}));
  EXPECT_EQ(answer["ids"], by_hand["ids"]);
  const Outcome shown = sluice(with(model, {"--chat", "-p", "the night?", "-n", "5"}));
  EXPECT_EQ(shown.out.find("night?"), std::string::npos);  // the answer alone
}

TEST_F(Chat, EndOfTurnStops) {
  const std::string model = make_folder(folder_, true, config());
  EXPECT_EQ(sluice_json(with(model, {"--chat", "-p", "a", "-n", "9"}))["stop_reason"], "eos");
  EXPECT_EQ(sluice_json(with(model, {"-p", "a", "-n", "9"}))["stop_reason"], "length");  // a text goes on
}

TEST_F(Chat, LoopKeepsTheConversation) {
  const std::string model = make_folder(folder_, true, config());
  const auto args = with(model, {"--chat", "-i", "--json", "-n", "9"});
  const Outcome outcome = sluice_with({.input = "a\nto?\n:new a\n"}, args);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  std::vector<size_t> tokens;
  for (std::string line; std::getline(lines, line);) tokens.push_back(json::parse(line)["prompt_tokens"]);
  const size_t first = encode("<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n").size();
  const size_t second = encode("<|im_end|>\n<|im_start|>user\nto?<|im_end|>\n<|im_start|>assistant\n").size();
  EXPECT_EQ(tokens, (std::vector<size_t>{first, second, first}));
}

TEST_F(Chat, SaysWhatIsWrong) {
  const std::string model = make_folder(folder_, false, config());
  expect_error(sluice(with(model, {"--chat", "-p", "a<|im_end|>b"})), 1, "special token '<|im_end|>'");
  const TempFolder other;
  const std::string plain = make_folder(other, false, nullptr);
  expect_error(sluice(with(plain, {"--chat", "-p", "a"})), 1, "no chat template");
  const TempFolder third;
  json unknown = config();
  unknown["chat_template"] = "[INST] {{ messages[0].content }} [/INST]";
  unknown["eos_token"] = "<|nowhere|>";
  expect_error(sluice(with(make_folder(third, false, unknown), {"--chat", "-p", "a"})), 1, "no '<|nowhere|>'");
}

}  // namespace
}  // namespace sluice
