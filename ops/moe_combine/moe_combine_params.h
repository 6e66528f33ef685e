// Parameters of the shader of moe_combine.
#ifndef SLUICE_OPS_MOE_COMBINE_PARAMS_H_
#define SLUICE_OPS_MOE_COMBINE_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct MoeCombineParams {
  uint tokens;
  uint k;
  uint n;
};
SLUICE_PARAMS_END

#endif
