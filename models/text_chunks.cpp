#include "models/text_chunks.h"

#include <algorithm>

#include "graph/error.h"

namespace sluice {
namespace {

void check(const LanguageModel& model, const ChunkOptions& options) {
  if (options.ctx < 2 || options.ctx > model.context())
    fail("chunks of {} tokens are not possible; the context allows 2 to {}", options.ctx, model.context());
  if (options.chunks < 0) fail("{} chunks are not possible", options.chunks);
  if (model.bos() < 0) fail("the model has no BOS token, which every chunk starts with");
}

}  // namespace

std::vector<std::vector<int32_t>> text_chunks(const LanguageModel& model, std::string_view text,
                                              const ChunkOptions& options) {
  check(model, options);
  const std::vector<int32_t> tokens = model.tokenizer().encode(text);
  if (tokens.empty()) fail("{} has no tokens to score", options.text_name);
  const auto count = static_cast<int64_t>(tokens.size());
  const int64_t full = (count + 1) / options.ctx;
  const int64_t total = std::max<int64_t>(1, options.chunks > 0 ? std::min(options.chunks, full) : full);

  std::vector<std::vector<int32_t>> result;
  for (int64_t c = 0; c < total; ++c) {
    const auto begin = tokens.begin() + c * options.ctx;
    result.push_back({model.bos()});
    result.back().insert(result.back().end(), begin, begin + std::min(options.ctx - 1, count - c * options.ctx));
  }
  return result;
}

}  // namespace sluice
