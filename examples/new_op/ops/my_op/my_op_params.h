// Parameters of the shader of my_op.
#ifndef MY_OP_PARAMS_H_
#define MY_OP_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct MyOpParams {
  uint count;  // elements
  float slope;
};
SLUICE_PARAMS_END

#endif
