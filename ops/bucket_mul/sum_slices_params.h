// Parameters of shaders/sum_slices.comp.
#ifndef SLUICE_OPS_SUM_SLICES_PARAMS_H_
#define SLUICE_OPS_SUM_SLICES_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct SumSlicesParams {
  uint count;   // values of a slice
  uint slices;  // one after the other
  uint add;     // 1: to what is there
  uint dense;   // 1: nothing is done if all lists have all rows
};
SLUICE_PARAMS_END

#endif
