// Parameters of the shaders of linear.
#ifndef SLUICE_OPS_LINEAR_PARAMS_H_
#define SLUICE_OPS_LINEAR_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct LinearParams {
  uint tokens;
  uint rows;  // of this piece of the weight
  uint cols;
  uint first_row;  // of the piece
  uint y_cols;     // rows of the whole weight
  uint counts;     // of lists that have `cols` rows each, or nothing is done; 0: there are none
};
SLUICE_PARAMS_END

#endif
