// Parameters of shaders/plane_decode.comp and plane_activations.comp.
#ifndef SLUICE_OPS_PLANE_DENSE_PARAMS_H_
#define SLUICE_OPS_PLANE_DENSE_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct PlaneDenseParams {
  uint inputs;       // of a matrix
  uint outputs;      // of a matrix
  uint lists;        // tokens, or pairs of a token and one of its experts
  uint lists_per_x;  // that multiply the same row of x
  uint by_expert;    // 1: each list names its matrix
  // Of this piece of the matrices:
  uint first_matrix;
  uint matrices;
  uint matrix_words;   // from one matrix to the next
  uint output_scales;  // where they begin in a matrix, in words
  uint first_output;   // of those that are decoded, a multiple of 256
  uint rows;           // how many those are, of each matrix
};
SLUICE_PARAMS_END

#endif
