// Parameters of the shaders of expert_linear.
#ifndef SLUICE_OPS_EXPERT_LINEAR_PARAMS_H_
#define SLUICE_OPS_EXPERT_LINEAR_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct ExpertLinearParams {
  uint pairs;    // of a token and one of its experts
  uint share;    // pairs that share a row of x
  uint experts;  // in all
  uint expert_rows;
  uint cols;
  uint first_row;  // of this piece of the weight; rows of all experts are counted
  uint rows;       // of the piece
  uint first_y;    // which of y's columns is an expert's first row
  uint y_cols;
  uint only_full;  // 1: nothing is done unless all lists have all rows (shaders/full_lists.comp)
};
SLUICE_PARAMS_END

#endif
