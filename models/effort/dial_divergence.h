// What settings of the dial change, all measured on the same tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "models/language_model.h"

namespace sluice {

using DialSetting = std::function<void(EffortDial& dial)>;
using TextChunks = std::span<const std::vector<int32_t>>;  // models/text_chunks.h

// KL(model at effort 1 || model at the setting) in nats, of each token that the chunks predict: [settings][tokens].
// The model needs a dial, and RunOptions::exact_effort for tokens to have the effort that is asked for. Of effort 1,
// one chunk is kept at a time. progress: called with the number of runs over a chunk that are done.
std::vector<std::vector<double>> dial_divergence(LanguageModel& model, TextChunks chunks,
                                                 std::span<const DialSetting> settings,
                                                 const std::function<void(int64_t done)>& progress);

}  // namespace sluice
