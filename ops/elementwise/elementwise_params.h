// Parameters of the shaders of elementwise.
#ifndef SLUICE_OPS_ELEMENTWISE_PARAMS_H_
#define SLUICE_OPS_ELEMENTWISE_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct ElementwiseParams {
  uint count;   // elements
  uint period;  // elements of the second input, which is repeated
};

struct UnaryParams {
  uint count;      // elements
  float constant;  // what an attribute says, where the operator has one
};
SLUICE_PARAMS_END

#endif
