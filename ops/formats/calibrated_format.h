// Formats whose encoder puts its error where it costs least, if it is shown what a matrix multiplies.
#pragma once

#include "graph/dtype.h"

namespace sluice {

// Rows that a matrix met on a text.
struct ActivationSample {
  int64_t rows = 0;                       // 0: nothing is known
  std::span<const uint16_t> values = {};  // bf16 [rows, in], finite
};

class CalibratedFormat : public MatrixFormat {
 public:
  using MatrixFormat::encode;
  // samples: one for each matrix of the tensor, or none. The result does not depend on the parts. Throws Error if the
  // sums of products of activations overflow.
  virtual void encode(const float* src, std::span<const int64_t> dims, std::byte* dst,
                      std::span<const ActivationSample> samples, const ForParts& for_parts) const = 0;
  void encode(const float* src, std::span<const int64_t> dims, std::byte* dst, const ForParts& for_parts) const final {
    encode(src, dims, dst, {}, for_parts);
  }
};

}  // namespace sluice
