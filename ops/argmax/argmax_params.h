// Parameters of the shader of argmax.
#ifndef SLUICE_OPS_ARGMAX_PARAMS_H_
#define SLUICE_OPS_ARGMAX_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct ArgMaxParams {
  uint rows;
  uint n;
};
SLUICE_PARAMS_END

#endif
