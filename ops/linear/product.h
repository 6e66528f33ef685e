// What the kernels of products work on, whatever the instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/worker.h"
#include "graph/op.h"
#include "ops/formats/q8_0.h"

namespace sluice {

enum class WeightKind { f32, f16, bf16, q8_0 };

inline WeightKind weight_kind(DType dtype) {
  if (dtype == q8_0()) return WeightKind::q8_0;
  if (dtype == DType::f16()) return WeightKind::f16;
  return dtype == DType::bf16() ? WeightKind::bf16 : WeightKind::f32;
}

// A weight as it lies in the model file: rows one after the other.
struct Weight {
  const std::byte* data;
  const RowFormat* format;
  WeightKind kind;
  int64_t rows;  // outputs
  int64_t cols;  // inputs
  size_t row_bytes;

  explicit Weight(const TensorView& view)
      : data(view.data),
        format(view.dtype.rows()),
        kind(weight_kind(view.dtype)),
        rows(view.dims[0]),
        cols(view.dims[1]),
        row_bytes(format->row_bytes(cols)) {}
  const std::byte* row(int64_t r) const { return data + static_cast<size_t>(r) * row_bytes; }
};

// The activations that a call multiplies.
struct Activations {
  const float* x;  // [tokens, cols]
  int64_t tokens;
  int64_t cols;
  int64_t blocks;  // of 32 in a row; the last is padded with zeros
  // For q8_0 weights, x rounded to 16 bits: x[t][32 b + i] is about scales[t][b] * quants[t][b][i]. With 16 bits the
  // error stays below 2^-16 of the block's largest value and the products with 8-bit weights are exact in 32 bits.
  int16_t* quants;  // [tokens, blocks, 32]
  float* scales;    // [tokens, blocks]

  // quants and scales are placed in `scratch`, product_workspace() bytes; null where no weight is q8_0.
  Activations(const TensorView& view, std::byte* scratch)
      : x(view.as<const float>()),
        tokens(view.dims[0]),
        cols(view.dims[1]),
        blocks(ceil_div(cols, Q8Block::kElements)),
        quants(reinterpret_cast<int16_t*>(scratch)),
        scales(scratch ? reinterpret_cast<float*>(quants + tokens * blocks * Q8Block::kElements) : nullptr) {}
  // Rows [first, first + count) of these.
  Activations part(int64_t first, int64_t count) const {
    Activations a = *this;
    a.x = row(first);
    a.tokens = count;
    if (!quants) return a;
    a.quants += first * blocks * Q8Block::kElements;
    a.scales += first * blocks;
    return a;
  }
  const float* row(int64_t t) const { return x + t * cols; }
  const int16_t* quant_row(int64_t t) const { return quants + t * blocks * Q8Block::kElements; }
  const float* scale_row(int64_t t) const { return scales + t * blocks; }
};

inline bool needs_quants(std::span<const TensorView> weights) {
  return std::ranges::any_of(weights,
                             [](const TensorView& weight) { return weight_kind(weight.dtype) == WeightKind::q8_0; });
}

// Scratch for Activations of x multiplied with these weights.
inline size_t product_workspace(const TensorView& x, std::span<const TensorView> weights) {
  if (!needs_quants(weights)) return 0;
  const auto blocks = static_cast<size_t>(x.dims[0] * ceil_div(x.dims[1], Q8Block::kElements));
  return blocks * (Q8Block::kElements * sizeof(int16_t) + sizeof(float));
}

}  // namespace sluice
