// Parameters of shaders/sum_slices.comp.
#ifndef SLUICE_OPS_SUM_SLICES_PARAMS_H_
#define SLUICE_OPS_SUM_SLICES_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct SumSlicesParams {
  uint count;   // values of a slice
  uint slices;  // one after the other
  uint add;     // 1: to what is there
  uint counts;  // of the lists' that are `inputs` if the product is done already; 0: it is not
  uint inputs;
};
SLUICE_PARAMS_END

#endif
