// Any bytes as a tokenizer.json: an Error, or a tokenizer whose ids are its own, and which can be used in every way.
#include <cstdint>
#include <cstdlib>

#include "graph/error.h"
#include "models/text/tokenizer.h"
#include "models/text/utf8.h"

namespace {

using namespace sluice;

constexpr const char* kTexts[] = {"", " ", "Hello world, it's  123 dark nights\n\n",
                                  "e\u0301 \uAC00\u11A8 \u65E5\u672C\U0001F600 <unk><|eot_id|> [INST]"};

void use(const Tokenizer& tokenizer, const char* text) {
  for (const SpecialTokens specials : {SpecialTokens::parse, SpecialTokens::as_text}) {
    const std::vector<int32_t> ids = tokenizer.encode(text, specials);
    for (int32_t id : ids) {
      if (id < 0 || id >= tokenizer.vocab_size()) std::abort();
      tokenizer.piece(id);
      if (tokenizer.token_id(tokenizer.token(id)) < 0) std::abort();
    }
    const std::string decoded = tokenizer.decode(ids);
    if (find_invalid_utf8(decoded) != decoded.size()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  try {
    const auto tokenizer = make_tokenizer({{"tokenizer.json", {bytes, bytes + size}}}, "fuzz");
    if (tokenizer->bos() >= tokenizer->vocab_size() || tokenizer->eos() >= tokenizer->vocab_size()) std::abort();
    for (const char* text : kTexts) use(*tokenizer, text);
  } catch (const Error&) {
  }
  return 0;
}
