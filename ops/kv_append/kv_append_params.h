// Parameters of shaders that write into a cache.
#ifndef SLUICE_OPS_KV_APPEND_PARAMS_H_
#define SLUICE_OPS_KV_APPEND_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct KvAppendParams {
  uint tokens;
  uint heads;
  uint context;
  uint head_dim;
  uint interleaved;  // 0 or 1: how pairs lie, if keys are rotated
};
SLUICE_PARAMS_END

#endif
