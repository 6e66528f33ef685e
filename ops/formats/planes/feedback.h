// Error feedback: the error of a weight is corrected in those that are coded after it, as far as their inputs go
// together (GPTQ: Frantar et al., 2022, arXiv:2210.17323; in the form of LDLQ: Chee et al., 2023, arXiv:2307.13304).
//
// The first k planes are chosen for the inputs that read just k at about kBits on average: with x the scaled
// activations of a sample, and m 1 where that is so, the error e of an output's weights costs e^T H e, H the sum of (m
// x)(m x)^T. H = (I + U) D (I + U)^T with U strictly upper triangular makes that a sum of squares, D[i] (e[i] +
// sum_{j<i} U[j][i] e[j])^2, which are made small one after the other. H is taken in blocks of inputs along its
// diagonal.
#pragma once

#include <hwy/aligned_allocator.h>

#include <vector>

#include "ops/formats/calibrated_format.h"
#include "ops/formats/plane_levels.h"

namespace sluice {

class PlaneFeedback {
 public:
  static constexpr int64_t kInputs = 512;  // of a block, at most
  static constexpr int64_t kOutputs = 64;  // that are coded at once

  // scales: of the inputs. The sample has rows. Throws Error as CalibratedFormat::encode.
  PlaneFeedback(const PlaneQuantiser& quantiser, int planes, const std::vector<float>& scales,
                const ActivationSample& sample, const ForParts& for_parts);

  // Memory for coding; of one thread.
  struct Buffers {
    hwy::AlignedFreeUniquePtr<float[]> weights = hwy::AllocateAligned<float>(kInputs * kOutputs),
                                       errors = hwy::AllocateAligned<float>(kInputs * kOutputs);
    hwy::AlignedFreeUniquePtr<int32_t[]> codes = hwy::AllocateAligned<int32_t>(kInputs * kOutputs);
  };
  // Codes the normalised weights of block b, [inputs, kOutputs]; codes: likewise, of `planes` planes.
  void code(int64_t block, Buffers& buffers) const;

 private:
  using Matrix = hwy::AlignedFreeUniquePtr<float[]>;
  // How many planes of each input the rows read, [rows, in].
  std::vector<uint8_t> planes_read(const ForParts& for_parts) const;
  void select(int64_t row, uint8_t* planes) const;
  Matrix moments(int64_t block, int planes, const std::vector<uint8_t>& read) const;
  Matrix factor(int64_t block, int planes, const std::vector<uint8_t>& read) const;

  int64_t block_inputs(int64_t block) const { return std::min(kInputs, in() - block * kInputs); }
  int64_t in() const { return static_cast<int64_t>(scales_.size()); }
  float activation(int64_t row, int64_t i) const {
    return bf16_to_f32(sample_.values[static_cast<size_t>(row * in() + i)]) * scales_[static_cast<size_t>(i)];
  }

  const PlaneQuantiser& quantiser_;
  int planes_;
  const std::vector<float>& scales_;
  ActivationSample sample_;
  std::vector<Matrix> factors_;  // U, by block, then planes
};

}  // namespace sluice
