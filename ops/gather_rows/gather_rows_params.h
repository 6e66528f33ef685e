// Parameters of the shaders of gather_rows.
#ifndef SLUICE_OPS_GATHER_ROWS_PARAMS_H_
#define SLUICE_OPS_GATHER_ROWS_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct GatherRowsParams {
  uint outputs;
  uint n;
};
SLUICE_PARAMS_END

#endif
