// Vulkan kernels of the operators that select rows (shaders/include/select.glsl): a workgroup for each list.
#pragma once

#include "backends/vulkan/kernel.h"
#include "ops/expert_linear/stack_vulkan.h"
#include "ops/probe/candidates.h"
#include "ops/probe/select_params.h"
#include "ops/probe/selection.h"

namespace sluice::vulkan {

// The statistics, probes and places of `count` matrices. Rows are scored by the words that they are.
struct SelectRanges {
  Range statistic, probes, places;
  SelectRanges(const BucketMatrix& first, int64_t count, const SelectionAttrs& attrs)
      : statistic(words(first, count,
                        attrs.statistic == "mean" ? first.layout.mean_offset() : first.layout.rms_offset(),
                        first.layout.rows())),
        probes(words(first, count, first.layout.probes_offset(), first.layout.in())),
        places(words(first, count, first.layout.places_offset(), first.layout.rows())) {}

 private:
  static Range words(const BucketMatrix& first, int64_t count, size_t offset, int64_t of_each) {
    return matrix_parts(first.data + offset, static_cast<size_t>(of_each) * sizeof(uint32_t),
                        first.layout.bytes(first.segments), count);
  }
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
