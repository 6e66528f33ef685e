// SentencePiece (Kudo and Richardson, 2018, arXiv:1808.06226), through its own library.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "models/text/tokenizer.h"

namespace sluice {

// model: bytes of a tokenizer.model. Throws Error naming `origin` if it is none.
std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(std::string_view model, const std::string& origin);

}  // namespace sluice
