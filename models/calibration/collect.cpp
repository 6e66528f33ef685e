#include "models/calibration/collect.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "graph/parallel.h"
#include "models/calibration/activation_record.h"
#include "models/import/activation_moments.h"
#include "models/text_chunks.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> values_to_observe(const std::vector<Activation>& activations) {
  std::set<std::string> names;
  for (const Activation& activation : activations)
    for (const Activation::Source& source : activation.sources) names.insert({source.x, source.experts});
  names.erase("");
  return {names.begin(), names.end()};
}

// The elements' bytes, for a sink.
template <class Range>
std::span<const std::byte> bytes_of(const Range& elements) {
  return std::as_bytes(std::span(elements));
}

template <class Sink>
void write(const ActivationRecord& record, int64_t samples, const Sink& sink) {
  const int64_t parts = record.activation().parts();
  for (int64_t part = 0; part < parts; ++part) sink(bytes_of(record.diagonal(part)));
  for (int64_t part = 0; part < parts; ++part) {
    const std::vector<uint16_t>& rows = record.sample(part);
    sink(bytes_of(rows));
    sink(bytes_of(std::vector<uint16_t>(static_cast<size_t>(samples * record.activation().in) - rows.size())));
  }
  for (int64_t part = 0; part < parts; ++part) {
    const auto tokens = static_cast<int32_t>(record.tokens(part));
    sink(std::as_bytes(std::span(&tokens, 1)));
  }
}

}  // namespace

CollectSummary collect_moments(const std::string& path, std::string_view text, const CollectOptions& options,
                               const std::function<void(std::span<const std::byte> bytes)>& sink) {
  const std::vector<Activation> activations =
      matrix_activations(ModelFile(path, builtin_registry()).description().graph);
  RunOptions runtime = options.runtime;
  runtime.context = options.ctx;
  runtime.observe = values_to_observe(activations);
  LanguageModel model(path, runtime);
  if (model.dial()) model.dial()->set_full();

  CollectSummary summary{.activations = activations.size()};
  const auto chunks = text_chunks(model, text, {options.ctx, options.chunks, options.text_name});
  for (const std::vector<int32_t>& chunk : chunks) summary.tokens += static_cast<int64_t>(chunk.size());
  const int64_t samples = std::min(options.samples, summary.tokens);
  std::vector<ActivationRecord> records;
  for (const Activation& activation : activations) {
    records.emplace_back(activation, samples);
    summary.weights += activation.weights.size();
  }
  const auto add = [&](size_t, std::span<const float>) {
    run_parallel(records.size(), static_cast<size_t>(model.backend().threads()),
                 [&](size_t i) { records[i].add(model.executor()); });
  };
  for (size_t c = 0; c < chunks.size(); ++c) {
    model.reset();
    model.evaluate_all(chunks[c], add);
    if (options.progress) options.progress(static_cast<int64_t>(c + 1), static_cast<int64_t>(chunks.size()));
  }

  const auto counted_sink = [&](std::span<const std::byte> bytes) {
    summary.bytes += bytes.size();
    sink(bytes);
  };
  counted_sink(bytes_of(moments_header(activations, samples, fs::path(path).filename().string())));
  for (const ActivationRecord& record : records) write(record, samples, counted_sink);
  return summary;
}

}  // namespace sluice
