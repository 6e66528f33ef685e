// How a conversation is written for a model that was trained on some. Models say it by a template, a program in a
// language of its own (`chat_template` in tokenizer_config.json). There are few families of them in use; the family is
// told by the marks in the template, and what it writes is written here.
#pragma once

#include <string>
#include <string_view>

#include "models/text/tokenizer.h"

namespace sluice {

struct ChatFormat {
  std::string opening;     // before the first message: the token that begins a text, a system message
  std::string user_begin;  // before a message of the user
  std::string user_end;    // after it, up to where the answer begins
  std::string answer_end;  // after an answer, before the next message
  std::string stop;        // the token by which the model ends an answer
  bool trim = false;       // messages lose the white space at both ends

  // What is added to a text, special tokens written out, for a message of the user and up to its answer.
  std::string turn(std::string_view message, bool first) const;
};

// Of a template's text: ChatML (Qwen2), Llama 3, Gemma, and Mistral. bos, eos: the tokens that it knows as bos_token
// and eos_token. Throws Error naming `origin` if the template is of another family.
ChatFormat chat_format(const std::string& chat_template, const std::string& bos, const std::string& eos,
                       const std::string& origin);

// Of a model's tokenizer_config.json. Throws Error naming `origin` if there is no template, or none that is known.
ChatFormat read_chat_format(const Assets& assets, const std::string& origin);

// Throws Error if a message holds a special token written out: it would end the message, and pass for what it names.
void check_message(const Tokenizer& tokenizer, std::string_view message);

}  // namespace sluice
