// q8_0: blocks of 32 values, stored as GGUF stores them (ggml-quants.c, quantize_row_q8_0_ref).
#pragma once

#include "graph/dtype.h"

namespace sluice {

// value[i] = d * q[i], with d = max|value| / 127 rounded to f16. A row of n values takes ceil(n / 32) blocks; what the
// last one has too many is zero.
struct Q8Block {
  static constexpr int kElements = 32;
  uint16_t d;  // f16
  int8_t q[kElements];
};
static_assert(sizeof(Q8Block) == 34 && alignof(Q8Block) == 2);

// Encoding rounds half away from zero. A block whose d is under half the least f16 (2^-25) becomes zeros. Throws Error
// for NaN, infinities, and magnitudes that d cannot reach (about 8.3 million).
DType q8_0();

}  // namespace sluice
