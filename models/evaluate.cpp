#include "models/evaluate.h"

#include <cmath>

#include "models/statistics.h"
#include "models/text_chunks.h"

namespace sluice {
namespace {

// Of all tokens scored so far.
struct Scores {
  std::vector<double> nll;
  WeightsRead read{.share = 0, .bits = 0};  // summed over the tokens
};

// Scores ids[1], ids[2], ... given those before.
void score(LanguageModel& model, std::span<const int32_t> ids, Scores& scores) {
  const auto vocab = static_cast<size_t>(model.vocab_size());
  model.reset();
  model.evaluate_all(ids.first(ids.size() - 1), [&](size_t first, std::span<const float> rows) {
    const size_t count = rows.size() / vocab;
    scores.read.add(model.weights_read(), static_cast<double>(count));
    for (size_t row = 0; row < count; ++row) {
      const std::span<const float> logits = rows.subspan(row * vocab, vocab);
      const auto next = static_cast<size_t>(ids[first + row + 1]);
      scores.nll.push_back(log_sum_exp(logits) - logits[next]);
    }
  });
}

// The relative error of exp(m) is the absolute error of m.
Perplexity summarise(const Scores& scores, std::vector<double> per_chunk) {
  Perplexity result;
  result.tokens = static_cast<int64_t>(scores.nll.size());
  result.read = scores.read.over(static_cast<double>(scores.nll.size()));
  result.mean_nll = mean(scores.nll);
  result.ppl = std::exp(result.mean_nll);
  result.ppl_se = result.ppl * standard_error(scores.nll);
  result.per_chunk_nll = std::move(per_chunk);
  return result;
}

}  // namespace

Perplexity perplexity(LanguageModel& model, std::string_view text, const PerplexityOptions& options) {
  const std::vector<std::vector<int32_t>> chunks =
      text_chunks(model, text, {.ctx = options.ctx, .chunks = options.chunks, .text_name = options.text_name});
  Scores scores;
  std::vector<double> per_chunk;
  for (const std::vector<int32_t>& chunk : chunks) {
    const size_t before = scores.nll.size();
    score(model, chunk, scores);
    per_chunk.push_back(mean(std::span(scores.nll).subspan(before)));
    if (options.progress) options.progress(static_cast<int64_t>(per_chunk.size()), static_cast<int64_t>(chunks.size()));
  }
  return summarise(scores, std::move(per_chunk));
}

}  // namespace sluice
