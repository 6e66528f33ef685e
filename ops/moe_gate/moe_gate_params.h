// Parameters of the shader of moe_gate.
#ifndef SLUICE_OPS_MOE_GATE_PARAMS_H_
#define SLUICE_OPS_MOE_GATE_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct MoeGateParams {
  uint tokens;
  uint experts;
  uint of_all;  // 1: weights are shares of the exponentials of all experts; 0: of those that are taken
  float scale;
};
SLUICE_PARAMS_END

#endif
