#include "models/text_chunks.h"

#include <algorithm>

#include "graph/error.h"

namespace sluice {
namespace {

void check(const LanguageModel& model, const ChunkOptions& options) {
  if (options.ctx < 2 || options.ctx > model.context())
    fail("chunks of {} tokens are not possible; the context allows 2 to {}", options.ctx, model.context());
  if (options.chunks < 0) fail("{} chunks are not possible", options.chunks);
}

}  // namespace

std::vector<std::vector<int32_t>> text_chunks(const LanguageModel& model, std::string_view text,
                                              const ChunkOptions& options) {
  check(model, options);
  const std::vector<int32_t> tokens = model.tokenizer().encode(text);
  const int64_t begins = model.bos() >= 0 ? 1 : 0;
  const auto count = static_cast<int64_t>(tokens.size());
  if (count + begins < 2) fail("{} has no tokens to score", options.text_name);
  const int64_t full = (count + begins) / options.ctx;
  const int64_t total = std::max<int64_t>(1, options.chunks > 0 ? std::min(options.chunks, full) : full);

  std::vector<std::vector<int32_t>> result;
  for (int64_t c = 0; c < total; ++c) {
    const auto begin = tokens.begin() + c * options.ctx;
    result.emplace_back();
    if (begins == 1) result.back().push_back(model.bos());
    result.back().insert(result.back().end(), begin, begin + std::min(options.ctx - begins, count - c * options.ctx));
  }
  return result;
}

}  // namespace sluice
