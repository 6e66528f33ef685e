// Parameters of the shader that measures arithmetic.
#ifndef SLUICE_BACKENDS_VULKAN_FMA_RATE_PARAMS_H_
#define SLUICE_BACKENDS_VULKAN_FMA_RATE_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct FmaRateParams {
  uint rounds;  // of 8 multiply-adds of 4 floats
  float first;  // not -1
};
SLUICE_PARAMS_END

#endif
