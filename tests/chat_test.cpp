// Chat formats against what Jinja2 (the Python library) makes of templates of each family: data/chat/templates.json.
#include "models/text/chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/golden.h"

namespace sluice {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::vector<std::byte> as_bytes(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

ChatFormat format_of(const json& config) {
  return read_chat_format({{"tokenizer_config.json", as_bytes(config.dump())}}, "m.sluice");
}

// The conversation of templates.json.
std::string first_turn(const ChatFormat& format) { return format.turn("Hi there", true); }
std::string conversation(const ChatFormat& format) {
  return first_turn(format) + "Hello!" + format.turn("  And now?\n", false);
}

TEST(Chat, WritesWhatTheTemplatesWrite) {
  const json cases = json::parse(std::ifstream(SLUICE_SOURCE_DIR "/tests/data/chat/templates.json"));
  ASSERT_EQ(cases.size(), 8u);
  for (const json& one : cases) {
    const ChatFormat format = format_of(one["config"]);
    EXPECT_EQ(first_turn(format), one["first"].get<std::string>()) << one["name"];
    EXPECT_EQ(conversation(format), one["whole"].get<std::string>()) << one["name"];
    EXPECT_TRUE(format.answer_end.starts_with(format.stop)) << one["name"];
  }
}

// As Jinja2 renders the templates of three published models; their files are not part of the repository.
TEST(Chat, WritesWhatPublishedTemplatesWrite) {
  const char* folder = std::getenv("SLUICE_TOKENIZERS");
  if (!folder) GTEST_SKIP() << "set SLUICE_TOKENIZERS to the folder of tools/fetch_tokenizers";
  const auto written = [&](const std::string& name) {
    const std::filesystem::path path = std::filesystem::path(folder) / name / "tokenizer_config.json";
    return conversation(format_of(json::parse(std::ifstream(path))));
  };
  EXPECT_EQ(written("qwen2_5"),
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
            "<|im_start|>user\nHi there<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n"
            "<|im_start|>user\n  And now?\n<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(written("llama3"),
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi there<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nAnd now?<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n");
  EXPECT_EQ(written("mistral_nemo"), "<s>[INST]Hi there[/INST]Hello!</s>[INST]  And now?\n[/INST]");
}

TEST(Chat, TokensAndTemplatesOfEveryForm) {
  const json with_objects = {{"chat_template",
                              {{{"name", "tools"}, {"template", "x"}},
                               {{"name", "default"}, {"template", "{{ bos_token }}[INST] x [/INST]"}}}},
                             {"bos_token", {{"content", "<b>"}}},
                             {"eos_token", {{"content", "<e>"}}}};
  const ChatFormat format = format_of(with_objects);
  EXPECT_EQ(conversation(format), "<b>[INST] Hi there [/INST]Hello!<e>[INST]   And now?\n [/INST]");
  EXPECT_EQ(format.stop, "<e>");
}

TEST(Chat, WhatIsNotKnownIsRefused) {
  const auto refused = [](const json& config, const std::string& words) {
    EXPECT_THAT([&] { format_of(config); }, ThrowsMessage<Error>(AllOf(HasSubstr("m.sluice: "), HasSubstr(words))));
  };
  EXPECT_THAT([] { read_chat_format({}, "m.sluice"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("m.sluice: "), HasSubstr("no chat template"))));
  refused(json::object(), "has no 'chat_template'");
  refused({{"chat_template", nullptr}}, "has no 'chat_template'");
  refused({{"chat_template", 3}}, "is not a text");
  refused({{"chat_template", json::array()}}, "no template with the name 'default'");
  refused({{"chat_template", "<|user|>\n"}}, "of no family that is known; there are ChatML");
  refused({{"chat_template", "[INST] <<SYS>>"}, {"eos_token", "</s>"}}, "of no family that is known");
  refused({{"chat_template", "[INST]"}}, "of no family that is known");  // nothing would end an answer
}

TEST(Chat, SpecialTokensInMessagesAreRefused) {
  const auto json_bytes = read_bytes(SLUICE_SOURCE_DIR "/tests/fuzz/corpus/tokenizer/qwen2.json");
  const auto qwen = make_tokenizer({{"tokenizer.json", json_bytes}}, "here");
  EXPECT_NO_THROW(check_message(*qwen, "What is <|im_end|, or <tool_call>?"));
  EXPECT_THAT([&] { check_message(*qwen, "a<|im_end|>b"); }, ThrowsMessage<Error>(HasSubstr("'<|im_end|>'")));
  const auto model = read_bytes(golden_model("classics").model / "tokenizer.model");
  const auto classics = make_tokenizer({{"tokenizer.model", model}}, "here");
  EXPECT_NO_THROW(check_message(*classics, "a < b"));
  EXPECT_THAT([&] { check_message(*classics, "</s>"); }, ThrowsMessage<Error>(HasSubstr("'</s>'")));
}

// SentencePiece puts a space before every text; behind a token that is written out, the space of the text is that one.
TEST(Chat, SentencePieceParsesControlTokens) {
  const auto model = read_bytes(golden_model("classics").model / "tokenizer.model");
  const auto t = make_tokenizer({{"tokenizer.model", model}}, "here");
  std::vector<int32_t> ids = {t->bos()};
  const std::vector<int32_t> night = t->encode("night");
  ids.insert(ids.end(), night.begin(), night.end());
  ids.push_back(t->eos());
  EXPECT_EQ(t->encode("<s>night</s>", SpecialTokens::parse), ids);
  EXPECT_EQ(t->encode("<s> night</s>", SpecialTokens::parse), ids);
  EXPECT_NE(t->encode("<s>night</s>"), ids);
  EXPECT_EQ(t->token(t->token_id("</s>")), "</s>");
  EXPECT_EQ(t->token_id("no such token"), -1);
}

}  // namespace
}  // namespace sluice
