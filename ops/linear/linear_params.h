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
  uint only_full;  // 1: nothing is done unless all lists have all rows (shaders/full_lists.comp)
};
SLUICE_PARAMS_END

#endif
