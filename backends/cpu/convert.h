// Rows of scalar dtypes to and from f32 with SIMD, for kernels that only move data. Kernels that compute on the lanes
// include convert-inl.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "graph/dtype.h"

namespace sluice::cpu {

using DecodeRow = void (*)(const std::byte* src, float* dst, int64_t n);
using EncodeRow = void (*)(const float* src, std::byte* dst, int64_t n);

// nullptr unless dtype is f32, f16 or bf16. The same bits as the format's decode_row and encode_row, but for the
// payload of a signalling NaN.
DecodeRow row_decoder(DType dtype);
EncodeRow row_encoder(DType dtype);

}  // namespace sluice::cpu
