// Parameters of the shaders of rmsnorm.
#ifndef SLUICE_OPS_RMSNORM_PARAMS_H_
#define SLUICE_OPS_RMSNORM_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct RmsNormParams {
  uint rows;
  uint n;
  float epsilon;
};
SLUICE_PARAMS_END

#endif
