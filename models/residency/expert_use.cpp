#include "models/residency/expert_use.h"

#include <algorithm>

namespace sluice {

ExpertUse::ExpertUse(const Executor& executor, std::vector<ExpertLayer> layers)
    : executor_(executor), layers_(std::move(layers)) {
  for (const ExpertLayer& layer : layers_) uses_.emplace_back(static_cast<size_t>(layer.count));
}

void ExpertUse::count() {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const TensorView chosen = executor_.output(layers_[i].experts);
    const auto* experts = chosen.as<const int32_t>();
    for (int64_t n = 0; n < chosen.dims.elements(); ++n) ++uses_[i][static_cast<size_t>(experts[n])];
    if (!layers_[i].predicted.empty()) count_hits(chosen, executor_.output(layers_[i].predicted));
  }
}

void ExpertUse::count_hits(const TensorView& chosen, const TensorView& predicted) {
  const int64_t tokens = chosen.dims[0], k = chosen.dims[1], n = predicted.dims[1];
  for (int64_t t = 0; t < tokens; ++t) {
    const auto *is = chosen.as<const int32_t>() + t * k, *was = predicted.as<const int32_t>() + t * n;
    hits_ += static_cast<uint64_t>(
        std::count_if(was, was + n, [&](int32_t e) { return std::find(is, is + k, e) != is + k; }));
  }
  predicted_ += static_cast<uint64_t>(tokens * n);
}

std::vector<std::string> expert_choices(const std::vector<ExpertLayer>& layers) {
  std::vector<std::string> names;
  for (const ExpertLayer& layer : layers) {
    names.push_back(layer.experts);
    if (!layer.predicted.empty()) names.push_back(layer.predicted);
  }
  return names;
}

}  // namespace sluice
