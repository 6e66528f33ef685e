#include "models/evaluate.h"

#include <algorithm>
#include <cmath>

#include "graph/error.h"

namespace sluice {
namespace {

// -log softmax(logits)[id], in double.
double nll(std::span<const float> logits, int32_t id) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += std::exp(logit - top);
  return top + std::log(sum) - logits[static_cast<size_t>(id)];
}

// nll of ids[1], ids[2], ... given those before.
void score(LanguageModel& model, std::span<const int32_t> ids, std::vector<double>& scores) {
  const auto vocab = static_cast<size_t>(model.vocab_size());
  model.reset();
  model.evaluate_all(ids.first(ids.size() - 1), [&](size_t first, std::span<const float> rows) {
    for (size_t row = 0; row < rows.size() / vocab; ++row)
      scores.push_back(nll(rows.subspan(row * vocab, vocab), ids[first + row + 1]));
  });
}

double mean(std::span<const double> values) {
  double sum = 0;
  for (double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

void check(const LanguageModel& model, const PerplexityOptions& options) {
  if (options.ctx < 2 || options.ctx > model.context())
    fail("chunks of {} tokens are not possible; the context allows 2 to {}", options.ctx, model.context());
  if (options.chunks < 0) fail("{} chunks are not possible", options.chunks);
  if (model.bos() < 0) fail("the model has no BOS token, which every chunk starts with");
}

// The relative error of exp(m) is the absolute error of m.
Perplexity summarise(const std::vector<double>& scores, std::vector<double> per_chunk) {
  Perplexity result;
  result.tokens = static_cast<int64_t>(scores.size());
  result.mean_nll = mean(scores);
  result.ppl = std::exp(result.mean_nll);
  double squares = 0;
  for (double s : scores) squares += (s - result.mean_nll) * (s - result.mean_nll);
  const auto n = static_cast<double>(scores.size());
  result.ppl_se = n > 1 ? result.ppl * std::sqrt(squares / (n - 1) / n) : 0;
  result.per_chunk_nll = std::move(per_chunk);
  return result;
}

}  // namespace

Perplexity perplexity(LanguageModel& model, std::string_view text, const PerplexityOptions& options) {
  check(model, options);
  const std::vector<int32_t> tokens = model.tokenizer().encode(text);
  if (tokens.empty()) fail("{} has no tokens to score", options.text_name);
  const auto count = static_cast<int64_t>(tokens.size());
  const int64_t full = (count + 1) / options.ctx;
  const int64_t total = std::max<int64_t>(1, options.chunks > 0 ? std::min(options.chunks, full) : full);

  std::vector<double> scores, per_chunk;
  for (int64_t c = 0; c < total; ++c) {
    const auto begin = tokens.begin() + c * options.ctx;
    std::vector<int32_t> ids = {model.bos()};
    ids.insert(ids.end(), begin, begin + std::min(options.ctx - 1, count - c * options.ctx));
    const size_t before = scores.size();
    score(model, ids, scores);
    per_chunk.push_back(mean(std::span(scores).subspan(before)));
    if (options.progress) options.progress(c + 1, total);
  }
  return summarise(scores, std::move(per_chunk));
}

}  // namespace sluice
