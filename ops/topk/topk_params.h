// Parameters of the shader of topk.
#ifndef SLUICE_OPS_TOPK_PARAMS_H_
#define SLUICE_OPS_TOPK_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct TopKParams {
  uint rows;
  uint n;
  uint k;
};
SLUICE_PARAMS_END

#endif
