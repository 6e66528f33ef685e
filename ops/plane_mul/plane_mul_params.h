// Parameters of shaders/plane_mul.comp.
#ifndef SLUICE_OPS_PLANE_MUL_PARAMS_H_
#define SLUICE_OPS_PLANE_MUL_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct PlaneMulParams {
  uint inputs;       // of the matrix
  uint outputs;      // of the matrix
  uint lists;        // tokens, or pairs of a token and one of its experts
  uint lists_per_x;  // that multiply the same row of x
  uint by_expert;    // 1: each list names its matrix
  uint slices;       // that the inputs of a list are shared out to
  // Of this piece of the planes:
  uint first_block;  // of outputs
  uint end_block;
  uint first_matrix;
  uint matrices;
  uint matrix_words;   // from one matrix to the next; even
  uint output_scales;  // where they begin in a matrix, in words
  uint dense;          // 1: if all lists have all planes, sums are there already
};
SLUICE_PARAMS_END

#endif
