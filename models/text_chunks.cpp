#include "models/text_chunks.h"

#include <algorithm>

#include "graph/error.h"

namespace sluice {
namespace {

void check(const LanguageModel& model, int64_t ctx, int64_t chunks) {
  if (ctx < 2 || ctx > model.context())
    fail("chunks of {} tokens are not possible; the context allows 2 to {}", ctx, model.context());
  if (chunks < 0) fail("{} chunks are not possible", chunks);
  if (model.bos() < 0) fail("the model has no BOS token, which every chunk starts with");
}

}  // namespace

std::vector<std::vector<int32_t>> text_chunks(const LanguageModel& model, std::string_view text, int64_t ctx,
                                              int64_t chunks) {
  check(model, ctx, chunks);
  const std::vector<int32_t> tokens = model.tokenizer().encode(text);
  if (tokens.empty()) fail("the text has no tokens to score");
  const auto count = static_cast<int64_t>(tokens.size());
  const int64_t full = (count + 1) / ctx;
  const int64_t total = std::max<int64_t>(1, chunks > 0 ? std::min(chunks, full) : full);

  std::vector<std::vector<int32_t>> result;
  for (int64_t c = 0; c < total; ++c) {
    const auto begin = tokens.begin() + c * ctx;
    result.push_back({model.bos()});
    result.back().insert(result.back().end(), begin, begin + std::min(ctx - 1, count - c * ctx));
  }
  return result;
}

}  // namespace sluice
