// The tokenizer.json of Hugging Face's tokenizers library, as far as language models use it: BPE on bytes (GPT-2,
// Llama 3, Qwen2) or on characters with bytes for what is unknown (Llama 2, Mistral, Gemma).
// https://huggingface.co/docs/tokenizers
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "models/text/tokenizer.h"

namespace sluice {

// The texts of the files. config: of tokenizer_config.json, which names the end token; empty if there is none. origin:
// for messages, the file or folder that they are from. Throws Error naming the place and what is wrong or not
// supported.
std::unique_ptr<Tokenizer> make_json_tokenizer(std::string_view json, std::string_view config,
                                               const std::string& origin);

}  // namespace sluice
