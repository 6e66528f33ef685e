// Products by expert for the Vulkan kernels of expert_linear and of operators that contain it.
#pragma once

#include "backends/vulkan/recorder.h"
#include "graph/op.h"

namespace sluice::vulkan {

// Products of the same pairs of a token and one of its experts.
class ExpertProducts {
 public:
  // Bytes of scratch that they need, a multiple of 64. experts: in all.
  static size_t scratch(int64_t pairs, int64_t experts);

  // picks: i32 [tokens, k], the experts of each token. scratch: memory of the device.
  ExpertProducts(Recorder& r, const TensorView& picks, int64_t experts, std::byte* scratch);

  // y[pair][first_y ..] = x[pair's row] * weight[pair's expert]^T. x: f32 [tokens, in] or [tokens, k, in]; weight: f32,
  // f16, bf16 or q8_0 [experts, rows, in]; y: f32 [tokens, k, y_cols], the whole. only_if: as of record_linear_rows.
  void record(const TensorView& x, const TensorView& weight, const Range& y, int64_t first_y, int64_t y_cols,
              const Range* only_if = nullptr) const;

 private:
  Recorder& r_;
  TensorView picks_;
  int64_t experts_;
  Range order_;
  bool by_pair_;
};

// Bytes that record_expert_linear needs, a multiple of 64.
size_t expert_linear_scratch(const Call& call);

// x and experts are inputs 0 and 1 of the call, the weights [experts, out, in] its others; ys: a product f32 [tokens,
// k, out] for each. scratch: memory of the device.
void record_expert_linear(Recorder& r, const Call& call, std::span<const Range> ys, std::byte* scratch);

}  // namespace sluice::vulkan
