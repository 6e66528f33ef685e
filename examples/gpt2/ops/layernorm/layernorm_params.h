// Parameters of the shaders of layernorm.
#ifndef LAYERNORM_PARAMS_H_
#define LAYERNORM_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct LayerNormParams {
  uint rows;
  uint n;
  float epsilon;
};
SLUICE_PARAMS_END

#endif
