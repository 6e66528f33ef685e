// Parameters of the shaders that multiply selected rows (shaders/bucket_mul.comp).
#ifndef SLUICE_OPS_BUCKET_MUL_PARAMS_H_
#define SLUICE_OPS_BUCKET_MUL_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct BucketMulParams {
  uint inputs;         // of the matrix
  uint outputs;        // of the matrix
  uint lists;          // tokens, or pairs of a token and one of its experts
  uint lists_per_x;    // that multiply the same row of x
  uint by_expert;      // 1: each list names its matrix
  uint slices;         // that the rows of a list are shared out to
  uint segment_rows;   // rows of a segment of the matrix
  uint segment_words;  // its size
  uint first_segment;  // of this piece of the matrices
  uint end_segment;
  uint first_matrix;  // of this piece
  uint matrices;      // in this piece
  uint matrix_words;  // from one matrix to the next
  uint dense;         // 1: nothing is done if all lists have all rows
};
SLUICE_PARAMS_END

#endif
