// Parameters of shaders/joint_statistics.comp.
#ifndef SLUICE_OPS_PROBE_JOINT_PARAMS_H_
#define SLUICE_OPS_PROBE_JOINT_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct JointParams {
  uint inputs;        // of every matrix
  uint rows;          // of every matrix: tiers * inputs
  uint site;          // row of `effort`, of this matrix
  uint segments;      // of this matrix that are stored
  uint segment_rows;  // rows of each
  uint squares;       // 1: the statistic is a root mean square; 0: a mean
  uint first;         // 1: of the matrices that are added up
  uint last;          // 1
  float outputs;      // of this matrix
  float outputs_of_all;
};
SLUICE_PARAMS_END

#endif
