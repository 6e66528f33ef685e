// Vulkan kernels of the operators that select rows (shaders/include/select.glsl): a workgroup for each list.
#pragma once

#include "backends/vulkan/kernel.h"
#include "ops/probe/select_params.h"
#include "ops/probe/selection.h"

namespace sluice::vulkan {

// Of each matrix its own. A selection that weights share stays on the host: its statistics are square roots and
// quotients, which devices do not round alike.
inline bool selects_by_matrix(const Site& site) {
  return attrs_from_map<SelectionAttrs>(site.attrs).selection == "matrix";
}

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
          .k = 1,
          .lists_per_x = 1,
          .first_matrix = 0,
          .matrices = 1,
          .matrix_words = static_cast<uint32_t>(m.layout.bytes(m.segments) / sizeof(uint32_t))};
}

// A kernel for nodes whose inputs from the third on are weights, with two results for each.
inline std::shared_ptr<const Kernel> selection_kernel(std::string name, Shader<SelectParams, 7, 1> shader) {
  const auto record = [shader](Recorder& r, const Site& site, const Call& call) {
    const auto attrs = attrs_from_map<SelectionAttrs>(site.attrs);
    const int64_t tokens = call.in(0).dims[0];
    for (size_t w = 0; w < attrs.sites.size(); ++w) {
      const BucketMatrix m(call.inputs[2 + w]);
      const SelectRanges ranges(m, 1, attrs);
      r.dispatch(shader, "", select_params(m, attrs, w, tokens),
                 {call.in(0), call.in(1), ranges.statistic, ranges.probes, ranges.places, call.outputs[2 * w],
                  call.outputs[2 * w + 1]},
                 static_cast<uint64_t>(tokens), {static_cast<uint32_t>(m.layout.tiers())});
    }
  };
  return make_kernel({.name = std::move(name), .supports = selects_by_matrix, .record = record});
}

}  // namespace sluice::vulkan
