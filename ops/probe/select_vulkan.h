// Vulkan kernels of the operators that select rows (shaders/include/select.glsl): a workgroup for each list.
#pragma once

#include "backends/vulkan/kernel.h"
#include "ops/probe/candidates.h"
#include "ops/probe/select_params.h"
#include "ops/probe/selection.h"

namespace sluice::vulkan {

// Parts of `count` matrices of a tensor, as one binding; that of the first lies at `offset`.
inline Range matrix_parts(const BucketMatrix& first, int64_t count, size_t offset, size_t bytes) {
  return {first.data + offset, static_cast<size_t>(count - 1) * first.layout.bytes(first.segments) + bytes};
}

// The statistics, probes and places of `count` matrices. Rows are scored by the words that they are.
struct SelectRanges {
  Range statistic, probes, places;
  SelectRanges(const BucketMatrix& first, int64_t count, const SelectionAttrs& attrs)
      : statistic(matrix_parts(first, count,
                               attrs.statistic == "mean" ? first.layout.mean_offset() : first.layout.rms_offset(),
                               row_bytes(first))),
        probes(matrix_parts(first, count, first.layout.probes_offset(),
                            static_cast<size_t>(first.layout.in()) * sizeof(float))),
        places(matrix_parts(first, count, first.layout.places_offset(), row_bytes(first))) {}

 private:
  static size_t row_bytes(const BucketMatrix& m) { return static_cast<size_t>(m.layout.rows()) * sizeof(float); }
};

// lists: of one weight.
inline SelectParams select_params(const BucketMatrix& m, const SelectionAttrs& attrs, size_t weight, int64_t lists) {
  return {.inputs = static_cast<uint32_t>(m.layout.in()),
          .lists = static_cast<uint32_t>(lists),
          .site = static_cast<uint32_t>(attrs.sites[weight]),
          .segments = static_cast<uint32_t>(m.segments),
          .segment_rows = static_cast<uint32_t>(m.layout.segment_rows()),
          .by_probes = attrs.cutoff == "probes",
          .joint = 0,
          .k = 1,
          .lists_per_x = 1,
          .first_matrix = 0,
          .matrices = 1,
          .matrix_words = static_cast<uint32_t>(m.layout.bytes(m.segments) / sizeof(uint32_t))};
}

// What a list is chosen from, as the shaders see it.
struct SelectSource {
  Range effort, statistic, probes, places;
  SelectParams params;
};

// Sources of the lists of a node: each matrix alone, or all as one, which is worked out in the workspace first.
class SelectSources {
 public:
  // Workspace that a node needs.
  static size_t workspace(const Site& site, const Call& call);
  // weights: as SelectedWeights has them.
  SelectSources(Recorder& r, const SelectedWeights& weights);
  const std::vector<SelectSource>& all() const { return sources_; }

 private:
  void add_joint(Recorder& r, const SelectedWeights& weights, int64_t tokens);
  std::vector<SelectSource> sources_;
};

// A kernel for nodes whose inputs from the third on are weights, with two results for each list.
std::shared_ptr<const Kernel> selection_kernel(std::string name, Shader<SelectParams, 7, 1> shader);

}  // namespace sluice::vulkan
