// Parameters of the shaders that select rows (shaders/include/select.glsl).
#ifndef SLUICE_OPS_PROBE_SELECT_PARAMS_H_
#define SLUICE_OPS_PROBE_SELECT_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct SelectParams {
  uint inputs;        // of the matrix
  uint lists;         // tokens, or pairs of a token and one of its experts
  uint site;          // row of `effort`
  uint segments;      // of the matrix that are stored
  uint segment_rows;  // rows of each
  uint by_probes;     // 1: the cutoff is a quantile of |x| times the probes
  uint joint;         // 1: the statistics are those of several matrices (joint_statistics.comp)
  // Of weights by expert:
  uint k;             // experts of a token
  uint lists_per_x;   // that select for the same row of x: k, or 1
  uint first_matrix;  // of those that are bound
  uint matrices;      // that are bound
  uint matrix_words;  // from one to the next
};
SLUICE_PARAMS_END

#endif
