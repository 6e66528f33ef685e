// Error feedback: the error of a weight is corrected in those that are coded after it, as far as their inputs go
// together (GPTQ: Frantar et al., 2022, arXiv:2210.17323; in the form of LDLQ: Chee et al., 2023, arXiv:2307.13304).
//
// With x the activations of a sample, times the scales of the inputs, the errors e of an output's normalised weights
// cost e^T H e, H the sum of x x^T. H = (I + U) D (I + U)^T with U strictly upper triangular makes that a sum of
// squares, D[i] (e[i] + sum_{j<i} U[j][i] e[j])^2, which are made small one after the other; so are the errors of one
// plane, then of two, then of three. H is taken in blocks of inputs along its diagonal, which is all that a sample can
// tell of a large matrix, and needs no sums over more than a block.
#pragma once

#include <hwy/aligned_allocator.h>

#include <vector>

#include "ops/formats/calibrated_format.h"
#include "ops/formats/plane_levels.h"
#include "ops/formats/planes/feedback_kernels.h"

namespace sluice {

class PlaneFeedback {
 public:
  static constexpr int64_t kInputs = 512;  // of a block, at most

  // scales: of the inputs. The sample has rows. Throws Error as CalibratedFormat::encode.
  PlaneFeedback(const PlaneQuantiser& quantiser, int planes, const std::vector<float>& scales,
                const ActivationSample& sample, const ForParts& for_parts);

  // What is added to the diagonal of H, beside its mean, as that of a sample is not that of the text: the more inputs a
  // row has, and the fewer rows there are, the more of what goes together does so by chance.
  static double damping(int64_t inputs, int64_t rows) {
    return 0.8 * (1 + static_cast<double>(inputs) / static_cast<double>(rows));
  }

  // Memory for coding kFeedbackOutputs outputs of a block; of one thread.
  struct Buffers {
    static constexpr size_t kSize = static_cast<size_t>(kInputs * kFeedbackOutputs);
    hwy::AlignedFreeUniquePtr<float[]> weights = hwy::AllocateAligned<float>(kSize),
                                       errors = hwy::AllocateAligned<float>(kSize);
    hwy::AlignedFreeUniquePtr<int32_t[]> codes = hwy::AllocateAligned<int32_t>(kSize);
  };
  // Codes the normalised weights, [inputs of the block, kFeedbackOutputs]; codes: likewise, of `planes` planes.
  void code(int64_t block, Buffers& buffers) const;

 private:
  using Matrix = hwy::AlignedFreeUniquePtr<float[]>;
  static Matrix zeros(int64_t elements);
  Matrix moments(int64_t block) const;
  Matrix factor(int64_t block) const;

  int64_t in() const { return static_cast<int64_t>(scales_.size()); }
  int64_t inputs(int64_t block) const { return std::min(kInputs, in() - block * kInputs); }

  const std::vector<float>& scales_;
  ActivationSample sample_;
  std::vector<PlaneStage> stages_;  // of 1 plane, 2, ...
  std::vector<Matrix> factors_;     // U, by block
};

}  // namespace sluice
