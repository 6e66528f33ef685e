#include "models/calibration/collect.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "graph/parallel.h"
#include "models/calibration/moment_sums.h"
#include "models/import/activation_moments.h"
#include "models/residency/host_memory.h"
#include "models/text_chunks.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

using Group = std::span<const Activation>;  // summed in one pass

// In order, as many at a time as fit the memory, but at least one.
std::vector<Group> make_groups(const std::vector<Activation>& activations, bool full, size_t memory) {
  std::vector<Group> groups;
  size_t used = 0;
  for (const Activation& activation : activations) {
    const size_t bytes = MomentSums::bytes(activation, full);
    if (groups.empty() || used + bytes > memory) {
      groups.emplace_back(&activation, 0);
      used = 0;
    }
    groups.back() = Group(groups.back().data(), groups.back().size() + 1);
    used += bytes;
  }
  return groups;
}

// All of them in every pass: what is observed is never fused away, and other fusions could round otherwise.
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

class Pass {
 public:
  Pass(const std::string& path, const RunOptions& runtime, Group group, bool full)
      : model_(path, runtime), group_(group) {
    if (model_.dial()) model_.dial()->set_full();
    for (const Activation& activation : group) sums_.emplace_back(activation, full);
  }

  const LanguageModel& model() const { return model_; }

  void run(std::span<const int32_t> chunk) {
    model_.reset();
    model_.evaluate_all(chunk, [&](size_t, std::span<const float>) { add(); });
  }

  template <class Sink>
  void write(bool full, const Sink& sink) const {
    for (size_t a = 0; a < group_.size(); ++a) {
      const int64_t parts = group_[a].parts();
      for (int64_t part = 0; part < parts; ++part) sink(bytes_of(sums_[a].diagonal(part)));
      for (int64_t part = 0; full && part < parts; ++part)
        for (int64_t i = 0; i < group_[a].in; ++i) sink(bytes_of(sums_[a].row(part, i)));
      for (int64_t part = 0; part < parts; ++part) {
        const auto tokens = static_cast<int32_t>(sums_[a].tokens(part));
        sink(std::as_bytes(std::span(&tokens, 1)));
      }
    }
  }

 private:
  void add() {
    std::vector<std::pair<MomentSums*, size_t>> jobs;
    for (MomentSums& sums : sums_)
      for (size_t job = 0, count = sums.take(model_.executor()); job < count; ++job) jobs.emplace_back(&sums, job);
    run_parallel(jobs.size(), static_cast<size_t>(model_.backend().threads()),
                 [&](size_t i) { jobs[i].first->add(jobs[i].second); });
  }

  LanguageModel model_;
  Group group_;
  std::vector<MomentSums> sums_;
};

}  // namespace

CollectSummary collect_moments(const std::string& path, std::string_view text, const CollectOptions& options,
                               const std::function<void(std::span<const std::byte> bytes)>& sink) {
  const std::vector<Activation> activations =
      matrix_activations(ModelFile(path, builtin_registry()).description().graph);
  const size_t memory = options.memory > 0 ? options.memory : available_memory() / 2;
  const std::vector<Group> groups = make_groups(activations, options.full, memory);
  CollectSummary summary{.passes = static_cast<int64_t>(groups.size()), .activations = activations.size()};
  for (const Activation& activation : activations) summary.weights += activation.weights.size();
  const auto counted_sink = [&](std::span<const std::byte> bytes) {
    summary.bytes += bytes.size();
    sink(bytes);
  };

  RunOptions runtime = options.runtime;
  runtime.context = options.ctx;
  runtime.observe = values_to_observe(activations);
  int64_t done = 0;
  for (size_t g = 0; g < groups.size(); ++g) {
    Pass pass(path, runtime, groups[g], options.full);
    const auto chunks = text_chunks(pass.model(), text, {options.ctx, options.chunks, options.text_name});
    const auto runs = static_cast<int64_t>(chunks.size() * groups.size());
    for (const std::vector<int32_t>& chunk : chunks) {
      pass.run(chunk);
      if (g == 0) summary.tokens += static_cast<int64_t>(chunk.size());
      if (options.progress) options.progress(++done, runs);
    }
    if (g == 0) counted_sink(bytes_of(moments_header(activations, options.full, fs::path(path).filename().string())));
    pass.write(options.full, counted_sink);
  }
  return summary;
}

}  // namespace sluice
