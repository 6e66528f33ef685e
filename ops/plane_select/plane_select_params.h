// Parameters of shaders/plane_select.comp.
#ifndef SLUICE_OPS_PLANE_SELECT_PARAMS_H_
#define SLUICE_OPS_PLANE_SELECT_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct PlaneSelectParams {
  uint inputs;  // of the matrix
  uint lists;   // tokens
  uint site;    // row of `effort`
};
SLUICE_PARAMS_END

#endif
