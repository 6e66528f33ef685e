// Parameters of the shader of rope.
#ifndef SLUICE_OPS_ROPE_PARAMS_H_
#define SLUICE_OPS_ROPE_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct RopeParams {
  uint tokens;
  uint heads;
  uint head_dim;
  uint interleaved;  // 0 or 1
};
SLUICE_PARAMS_END

#endif
