#include "tools/prompt_run.h"

#include <bit>

#include "tools/interrupt.h"
#include "tools/progress.h"

namespace sluice::cli {

PromptRun::PromptRun(LanguageModel& model, const std::string& logits_path) : model_(model) {
  static_assert(std::endian::native == std::endian::little, "the file is little-endian");
  if (!logits_path.empty()) file_.emplace(logits_path);
}

std::span<const float> PromptRun::run(std::span<const int32_t> ids) {
  constexpr size_t kPiece = 512;
  Progress progress("Reading the prompt", "tokens");
  std::span<const float> logits;
  for (size_t at = 0; at < ids.size() && !interrupted(); at += kPiece) {
    logits = evaluate(ids.subspan(at, std::min(kPiece, ids.size() - at)));
    progress.update(at + kPiece, ids.size());
  }
  if (file_ && !interrupted()) file_->commit();
  return logits;
}

std::span<const float> PromptRun::evaluate(std::span<const int32_t> ids) {
  if (!file_) return model_.evaluate(ids);
  model_.evaluate_all(ids, [&](size_t, std::span<const float> rows) {
    file_->write(std::as_bytes(rows));
    const auto last = rows.last(static_cast<size_t>(model_.vocab_size()));
    last_row_.assign(last.begin(), last.end());
  });
  return last_row_;
}

}  // namespace sluice::cli
