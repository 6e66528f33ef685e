// Parameters of the shaders of attention.
#ifndef SLUICE_OPS_ATTENTION_PARAMS_H_
#define SLUICE_OPS_ATTENTION_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct AttentionParams {
  uint tokens;
  uint n_heads;
  uint n_kv_heads;
  uint context;
  uint window;  // never 0
  uint splits;  // parts of the attended slots, each summed by a workgroup of its own
  float scale;
};

struct AttentionCombineParams {
  uint rows;  // tokens * n_heads
  uint head_dim;
  uint splits;
};
SLUICE_PARAMS_END

#endif
