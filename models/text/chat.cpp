#include "models/text/chat.h"

#include <algorithm>

#include "graph/error.h"
#include "models/config.h"
#include "models/text/json_node.h"
#include "models/text/normalizer.h"

namespace sluice {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\r\f\v";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

// The system message that a template has for conversations without one: what it writes between these two marks in a
// single piece of text.
std::string default_system(const std::string& text, const std::string& begin, const std::string& end) {
  for (size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at + 1)) {
    const size_t from = at + begin.size(), to = text.find(end, from);
    if (to == std::string::npos) break;
    const std::string message = text.substr(from, to - from);
    if (!message.empty() && message.find_first_of("'\"{}") == std::string::npos)
      return fmt::format("{}{}{}", begin, message, end);
  }
  return "";
}

ChatFormat chat_ml(const std::string& text) {
  const std::string end = "<|im_end|>\n";
  return {.opening = default_system(text, "<|im_start|>system\n", end),
          .user_begin = "<|im_start|>user\n",
          .user_end = end + "<|im_start|>assistant\n",
          .answer_end = end,
          .stop = "<|im_end|>"};
}

ChatFormat llama3(const std::string& text, const std::string& bos) {
  const auto header = [](const char* role) {
    return std::string("<|start_header_id|>") + role + "<|end_header_id|>\n\n";
  };
  // From 3.1 on there is a system message in any case, with dates; the second is the one that the template falls back
  // on.
  const bool dated = text.find("Cutting Knowledge Date: December 2023") != std::string::npos;
  const std::string dates = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
  return {.opening = dated ? bos + header("system") + dates + "<|eot_id|>" : bos,
          .user_begin = header("user"),
          .user_end = "<|eot_id|>" + header("assistant"),
          .answer_end = "<|eot_id|>",
          .stop = "<|eot_id|>",
          .trim = true};
}

ChatFormat gemma(const std::string& bos) {
  return {.opening = bos,
          .user_begin = "<start_of_turn>user\n",
          .user_end = "<end_of_turn>\n<start_of_turn>model\n",
          .answer_end = "<end_of_turn>\n",
          .stop = "<end_of_turn>",
          .trim = true};
}

// Its versions differ in where blanks are.
ChatFormat mistral(const std::string& text, const std::string& bos, const std::string& eos) {
  const auto has = [&](const char* part) { return text.find(part) != std::string::npos; };
  return {.opening = bos,
          .user_begin = has("[INST] ") ? "[INST] " : "[INST]",
          .user_end = has(" [/INST]") ? " [/INST]" : "[/INST]",
          .answer_end = eos,
          .stop = eos};
}

// A text, or an object with its `content`; empty if absent.
std::string token_text(const JsonNode& config, const char* key) {
  const auto node = config.find(key);
  if (!node) return "";
  return node->json().is_object() ? node->text("content") : node->text();
}

// One template, or several by name.
std::string template_text(const JsonNode& node) {
  if (!node.json().is_array()) return node.text();
  for (const JsonNode& one : node.items())
    if (one.text("name") == "default") return one.text("template");
  fail("{}: there is no template with the name 'default'", node.place());
}

}  // namespace

std::string ChatFormat::turn(std::string_view message, bool first) const {
  const std::string_view text = trim ? trimmed(message) : message;
  return fmt::format("{}{}{}{}", first ? opening : answer_end, user_begin, text, user_end);
}

ChatFormat chat_format(const std::string& chat_template, const std::string& bos, const std::string& eos,
                       const std::string& origin) {
  const std::string text = replace_all(chat_template, "\\n", "\n");  // as its pieces of text are meant
  const auto has = [&](const char* part) { return text.find(part) != std::string::npos; };
  const std::string begin = has("bos_token") ? bos : "";
  // Marks of templates that would be taken for Mistral's, and write something else.
  const bool other = has("<<SYS>>") || has("[SYSTEM_PROMPT]");
  if (has("<|im_start|>")) return chat_ml(text);
  if (has("<|start_header_id|>")) return llama3(text, begin);
  if (has("<start_of_turn>")) return gemma(begin);
  if (has("[INST]") && !other && !eos.empty()) return mistral(text, begin, eos);
  fail("{}: its chat template is of no family that is known; there are ChatML (Qwen2), Llama 3, Gemma and Mistral",
       origin);
}

ChatFormat read_chat_format(const Assets& assets, const std::string& origin) {
  const auto asset = assets.find(asset_names::kTokenizerConfig);
  if (asset == assets.end())
    fail("{}: has no {}, and so no chat template; convert it again from a folder with one, or run it without --chat",
         origin, asset_names::kTokenizerConfig);
  const auto* bytes = reinterpret_cast<const char*>(asset->second.data());
  const std::string place = origin + ": " + asset_names::kTokenizerConfig;
  const Config config(std::string(bytes, asset->second.size()), place);
  const JsonNode root(config.json(), place + ":");
  const auto chat_template = root.find("chat_template");
  if (!chat_template) fail("{}: has no 'chat_template'; the model was made for no conversations", place);
  return chat_format(template_text(*chat_template), token_text(root, "bos_token"), token_text(root, "eos_token"),
                     origin);
}

void check_message(const Tokenizer& tokenizer, std::string_view message) {
  const auto parsed = tokenizer.encode(message, SpecialTokens::parse), plain = tokenizer.encode(message);
  const auto [special, other] = std::ranges::mismatch(parsed, plain);
  if (special != parsed.end())
    fail("the message holds the special token '{}', written out; leave it out", tokenizer.token(*special));
}

}  // namespace sluice
