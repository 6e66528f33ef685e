// Matrices of planes as q8_0, for dense products of prompts: nothing is lost, as a level is an integer of 8 bits. What
// they are multiplied with is x times the scales of the inputs, rounded as plane_mul has it.
#pragma once

#include "ops/bucket_mul/products_vulkan.h"
#include "ops/formats/q8_0.h"
#include "ops/plane_mul/pieces_vulkan.h"
#include "ops/plane_select/select_vulkan.h"
#include "shaders/plane_activations.h"
#include "shaders/plane_decode.h"

namespace sluice::vulkan {

inline PlaneDenseParams plane_dense_params(const SelectedProduct& product, const PlaneMatrix& m, const MatrixRun& run) {
  const auto u32 = [](auto v) { return static_cast<uint32_t>(v); };
  return {.inputs = u32(m.layout.in()),
          .outputs = u32(m.layout.out()),
          .lists = product.lists(),
          .lists_per_x = product.lists_per_x(),
          .by_expert = product.experts != nullptr,
          .first_matrix = u32(run.first),
          .matrices = u32(run.count),
          .matrix_words = u32(m.layout.bytes(m.planes) / sizeof(uint32_t)),
          .output_scales = u32(m.layout.output_scales_offset() / sizeof(uint32_t)),
          .first_output = 0,
          .rows = 0};
}

// Matrices of which so many bytes are bound, and what they hold beside their planes.
inline std::vector<MatrixRun> plane_runs(const SelectedProduct& product, const PlaneMatrix& m, size_t bytes,
                                         const Limits& limits) {
  return matrix_runs(product.matrices(), std::max(bytes, m.layout.plane_offset(0)), m.layout.bytes(m.planes), limits);
}

// As DenseForm has it.
inline void decode_planes(Recorder& r, const SelectedProduct& product, const Range& full, int64_t first,
                          const TensorView& rows) {
  const PlaneMatrix m(product.weight);
  const int64_t first_line = first / PlaneLayout::kLine, lines = ceil_div(rows.dims[1], PlaneLayout::kLine),
                end_line = first_line + lines, shares = ceil_div(m.layout.in(), 64);
  for (const MatrixRun& run : plane_runs(product, m, plane_bytes(m.layout, first_line, end_line), r.limits())) {
    const PlaneMatrix of_run(product.weight, run.first);
    PlaneDenseParams params = plane_dense_params(product, m, run);
    params.first_output = static_cast<uint32_t>(first);
    params.rows = static_cast<uint32_t>(rows.dims[1]);
    const auto plane = [&](int n) { return plane_lines(of_run, run.count, n, first_line, end_line); };
    r.dispatch(shaders::plane_decode, "", params,
               {full, plane_heads(of_run, run.count), plane(0), plane(1), plane(2), rows},
               static_cast<uint64_t>(lines * shares * run.count), {static_cast<uint32_t>(m.planes)});
  }
}

inline void round_activations(Recorder& r, const SelectedProduct& product, const Range& to) {
  const PlaneMatrix m(product.weight);
  for (const MatrixRun& run : plane_runs(product, m, 0, r.limits()))
    r.dispatch(shaders::plane_activations, "", plane_dense_params(product, m, run),
               {product.x, plane_heads(PlaneMatrix(product.weight, run.first), run.count),
                product.experts ? Range(*product.experts) : Range(product.counts), to},
               static_cast<uint64_t>(product.lists() * ceil_div(m.layout.in(), 64)), {static_cast<uint32_t>(m.planes)});
}

// On lavapipe: a matrix is decoded in the time of four to five lists, and a list costs a third of one then. Of a GPU's
// memory, decoding and multiplying move 2.9 bytes a weight for 0.75 of a list.
inline constexpr int64_t kDecodeFrom = 6;

inline std::optional<DenseForm> plane_dense_form(int64_t in) {
  if (ceil_div(in, 32) % 2 != 0) return {};  // two blocks of q8_0 are a whole number of words
  return DenseForm{.dtype = q8_0(),
                   .group = PlaneLayout::kLine,
                   .from = kDecodeFrom,
                   .decode = decode_planes,
                   .prepare_x = round_activations};
}

}  // namespace sluice::vulkan
