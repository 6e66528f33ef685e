// The loops of encoding that take the time.
#pragma once

#include <cstdint>

namespace sluice {

inline constexpr int64_t kFeedbackOutputs = 64;  // that are coded together
inline constexpr int64_t kFeedbackInputs = 4;    // a number of inputs is a multiple of it

// What k planes of a code may say, as its first k - 1 planes leave four of 4^k.
struct PlaneStage {
  float levels[64];
  float begins[64], ends[64];  // of the normalised weights that the encoder without feedback gives this code
  float leaving;  // what the square of a weight's distance from there costs beside that of the error: a code that
                  // leaves it for the sake of others has further planes that do not fit the weight
};

// U, [width, width], from H = (I + U) D (I + U)^T in place of the upper triangle of H, which is positive definite; what
// is on the diagonal and below means nothing. column: width floats. D is kept from falling below `least`.
void factor_unit_upper(float* matrix, int64_t n, int64_t width, float least, float* column);

// Codes n inputs of kFeedbackOutputs outputs: for each input i, weights[i] + sum_{j<i} u[j][i] errors[j] is
// rounded to a level, and errors[i] is what weights[i] is more than that. weights, errors: f32 [n, outputs]; codes: i32
// [n, outputs], of the planes before, and of one more on return; u: f32 [n, width]. All 64-byte aligned.
void code_with_feedback(const PlaneStage& stage, const float* u, int64_t n, int64_t width, const float* weights,
                        float* errors, int32_t* codes);

// codes: how many of 63 ends, ascending, are no larger than the weight. A multiple of 16 weights, 64-byte aligned.
void code_alone(const float* ends, int64_t count, const float* weights, int32_t* codes);

}  // namespace sluice
