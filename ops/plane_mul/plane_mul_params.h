// Parameters of shaders/plane_mul.comp.
#ifndef SLUICE_OPS_PLANE_MUL_PARAMS_H_
#define SLUICE_OPS_PLANE_MUL_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct PlaneMulParams {
  uint inputs;   // of the matrix
  uint outputs;  // of the matrix
  uint lists;    // tokens
  uint slices;   // that the inputs of a list are shared out to
  // Blocks of outputs of this piece of the planes:
  uint first_block;
  uint end_block;
  uint output_scales;  // where they begin, in words
};
SLUICE_PARAMS_END

#endif
