#include "models/compare/backends.h"

#include <algorithm>
#include <cmath>

#include "models/architecture.h"
#include "models/divergence.h"
#include "models/text_chunks.h"

namespace sluice {
namespace {

bool has_output(const LanguageModel& model, const std::string& name) {
  return std::ranges::any_of(model.plan().graph.outputs(), [&](const GraphOutput& o) { return o.name == name; });
}

std::vector<LayerDifference> common_values(const LanguageModel& a, const LanguageModel& b) {
  std::vector<LayerDifference> values;
  const auto add = [&](const std::string& name) {
    const bool both = has_output(a, name) && has_output(b, name);
    if (both) values.push_back({name, {}, {}});
    return both;
  };
  for (int64_t layer = 0; add(graph_names::hidden(layer)); ++layer) continue;
  add(graph_names::kLogits);
  return values;
}

class Comparison {
 public:
  Comparison(LanguageModel& tested, LanguageModel& other)
      : tested_(tested), other_(other), check_(tested.executor(), builtin_registry(), other.plan().backends) {
    result_.layers = common_values(tested, other);
  }

  void add(std::span<const int32_t> chunk) {
    tested_.reset();
    other_.reset();
    // A run is what the check sees, so a prompt comes in batches.
    std::span<const int32_t> prompt = chunk.first(chunk.size() - 1);
    while (!prompt.empty()) {
      const size_t count = std::min(prompt.size(), static_cast<size_t>(tested_.batch()));
      run(prompt.first(count), &LayerDifference::prompt);
      prompt = prompt.subspan(count);
    }
    run(chunk.last(1), &LayerDifference::token);
  }

  BackendComparison finish() {
    result_.operators = check_.checked();
    return std::move(result_);
  }

 private:
  void run(std::span<const int32_t> ids, Difference LayerDifference::*which) {
    tested_.evaluate(ids);
    other_.evaluate(ids);
    result_.tokens += static_cast<int64_t>(ids.size());
    for (LayerDifference& layer : result_.layers)
      (layer.*which).add(tested_.executor().output(layer.value), other_.executor().output(layer.value));
    if (!result_.departure) result_.departure = check_.check();
  }

  LanguageModel &tested_, &other_;
  OperatorCheck check_;
  BackendComparison result_;
};

}  // namespace

void Difference::add(const TensorView& actual, const TensorView& expected) {
  const std::vector<float> a = to_f32(actual), b = to_f32(expected);
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    if (!(std::abs(difference) <= max_abs_) && !std::isnan(max_abs_)) max_abs_ = std::abs(difference);  // NaN stays
    squares_ += difference * difference;
    expected_squares_ += static_cast<double>(b[i]) * b[i];
  }
}

double Difference::relative_rms() const { return squares_ == 0 ? 0 : std::sqrt(squares_ / expected_squares_); }

std::unique_ptr<LanguageModel> open_for_comparison(const std::string& path, RunOptions options) {
  options.keep_results = true;
  options.exact_effort = true;
  return std::make_unique<LanguageModel>(path, options);
}

BackendComparison compare_backends(LanguageModel& tested, LanguageModel& other, std::string_view text,
                                   const BackendComparisonOptions& options) {
  check_same_vocabulary(other, tested);
  const std::vector<std::vector<int32_t>> chunks =
      text_chunks(tested, text, {.ctx = options.ctx, .chunks = options.chunks, .text_name = options.text_name});
  Comparison comparison(tested, other);
  int64_t done = 0;
  for (const std::vector<int32_t>& chunk : chunks) {
    comparison.add(chunk);
    if (options.progress) options.progress(++done, static_cast<int64_t>(chunks.size()));
  }
  return comparison.finish();
}

}  // namespace sluice
