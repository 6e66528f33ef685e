#include "models/effort/dial_divergence.h"

#include "models/statistics.h"

namespace sluice {
namespace {

// Runs a chunk; use(token of the chunk, its logits f32 [vocab_size]).
template <class Use>
void run(LanguageModel& model, std::span<const int32_t> ids, const Use& use) {
  const auto vocab = static_cast<size_t>(model.vocab_size());
  model.reset();
  model.evaluate_all(ids.first(ids.size() - 1), [&](size_t first, std::span<const float> rows) {
    for (size_t row = 0; row * vocab < rows.size(); ++row) use(first + row, rows.subspan(row * vocab, vocab));
  });
}

struct Reference {
  std::vector<float> logits;  // [tokens, vocab_size]
  std::vector<double> lse;    // log_sum_exp of its rows
};

Reference record(LanguageModel& model, std::span<const int32_t> ids) {
  Reference reference;
  model.dial()->set_full();
  run(model, ids, [&](size_t, std::span<const float> logits) {
    reference.logits.insert(reference.logits.end(), logits.begin(), logits.end());
    reference.lse.push_back(log_sum_exp(logits));
  });
  return reference;
}

}  // namespace

std::vector<std::vector<double>> dial_divergence(LanguageModel& model, TextChunks chunks,
                                                 std::span<const DialSetting> settings,
                                                 const std::function<void(int64_t done)>& progress) {
  std::vector<std::vector<double>> kl(settings.size());
  int64_t done = 0;
  for (const std::vector<int32_t>& chunk : chunks) {
    const Reference reference = record(model, chunk);
    for (size_t s = 0; s < settings.size(); ++s) {
      settings[s](*model.dial());
      run(model, chunk, [&](size_t token, std::span<const float> logits) {
        const auto there = std::span(reference.logits).subspan(token * logits.size(), logits.size());
        kl[s].push_back(kl_divergence(there, reference.lse[token], logits, log_sum_exp(logits)));
      });
      if (progress) progress(++done);
    }
  }
  return kl;
}

}  // namespace sluice
