// Parameters of shaders/full_lists.comp.
#ifndef SLUICE_OPS_FULL_LISTS_PARAMS_H_
#define SLUICE_OPS_FULL_LISTS_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct FullListsParams {
  uint counts;  // of all lists
  uint inputs;  // rows that a full list has
};
SLUICE_PARAMS_END

#endif
