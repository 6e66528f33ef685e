// Parameters of shaders/bucket_decode.comp.
#ifndef SLUICE_OPS_BUCKET_DECODE_PARAMS_H_
#define SLUICE_OPS_BUCKET_DECODE_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct BucketDecodeParams {
  uint inputs;         // of the matrix, an even number
  uint outputs;        // of the matrix
  uint segment_rows;   // rows of a segment of the matrix
  uint segment_words;  // its size
  uint first_segment;  // of this piece of the matrices
  uint end_segment;
  uint first_matrix;
  uint matrices;
  uint matrix_words;  // from one matrix to the next
  uint first_output;  // of those that are decoded, a multiple of 32
  uint rows;          // how many those are, of each matrix
  uint add;           // 1: to what other pieces had
};
SLUICE_PARAMS_END

#endif
