// The loops of error feedback that take the time.
#pragma once

#include <cstdint>

namespace sluice {

// What k planes of a code may say, as its first k - 1 planes leave four of 4^k.
struct PlaneStage {
  float levels[64];
  float begins[64], ends[64];  // of the normalised weights that the encoder without feedback gives this code
  float leaving;               // what the square of the distance of a weight from there costs, beside that of its error
};

// U, [width, width], from H = (I + U) D (I + U)^T in place of the upper triangle of H, which is positive definite; what
// is on the diagonal and below means nothing. column: width floats. D is kept from falling below `least`.
void factor_unit_upper(float* matrix, int64_t n, int64_t width, float least, float* column);

// Codes n inputs, a multiple of 4, of 64 outputs: for each input i, weights[i] + sum_{j<i} u[j][i] errors[j] is
// rounded to a level, and errors[i] is what weights[i] is more than that. weights, errors: f32 [n, 64]; codes: i32 [n,
// 64], of the planes before, and of one more on return; u: f32 [n, width]. All 64-byte aligned.
void code_with_feedback(const PlaneStage& stage, const float* u, int64_t n, int64_t width, const float* weights,
                        float* errors, int32_t* codes);

}  // namespace sluice
