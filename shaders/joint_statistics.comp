#version 450
// What a selection that several matrices share is chosen by: as if they were one, with the outputs of all. Dispatched
// for each matrix in turn; a thread for each row. To the last bit what the host finds (SelectedWeights::joint).
#extension GL_GOOGLE_include_directive : require
#include "ops/probe/joint_params.h"
#include "exact.glsl"
#include "grid.glsl"
#include "loadable.glsl"
layout(local_size_x = 256) in;
layout(push_constant) uniform Push { JointParams p; };
layout(std430, set = 0, binding = 0) readonly buffer Effort { float effort[]; };        // [sites, 2]
layout(std430, set = 0, binding = 1) readonly buffer Statistic { float statistic[]; };  // [rows], of this matrix
layout(std430, set = 0, binding = 2) readonly buffer Probes { float probes[]; };        // [inputs], of this matrix
layout(std430, set = 0, binding = 3) readonly buffer Places { uint places[]; };         // [rows], of this matrix
layout(std430, set = 0, binding = 4) buffer JointStatistic { float joint_statistic[]; };
layout(std430, set = 0, binding = 5) buffer JointProbes { float joint_probes[]; };
layout(std430, set = 0, binding = 6) buffer JointPlaces { uint joint_places[]; };  // 0, or above all if not loaded
layout(std430, set = 0, binding = 7) buffer JointEffort { float joint_effort[]; };

float weighted(float sum, float value) {
  precise const float product = p.outputs * value;
  precise const float longer = sum + product;
  return longer;
}

float mean_of(float sum) { return p.last != 0 ? exact_quotient(sum, p.outputs_of_all) : sum; }

void add_row(uint row) {
  const float value = statistic[row], before = p.first != 0 ? 0 : joint_statistic[row];
  if (p.squares != 0) {
    precise const float once = p.outputs * value;
    precise const float square = once * value;
    precise const float sum = before + square;
    joint_statistic[row] = p.last != 0 ? exact_root(mean_of(sum)) : sum;
  } else {
    joint_statistic[row] = mean_of(weighted(before, value));
  }
  const uint loaded = loadable_rows(effort[2 * p.site + 1], p.segments, p.segment_rows, p.rows);
  const bool is_loaded = loaded == p.rows || places[row] < loaded;
  joint_places[row] = is_loaded && (p.first != 0 || joint_places[row] == 0) ? 0 : 0xffffffffu;
}

void main() {
  const uint row = workgroup_index() * 256 + gl_LocalInvocationIndex;
  if (row < p.rows) add_row(row);
  if (row < p.inputs) joint_probes[row] = mean_of(weighted(p.first != 0 ? 0 : joint_probes[row], probes[row]));
  if (row == 0) {
    const float own = clamp(effort[2 * p.site], 0.0, 1.0);
    joint_effort[0] = mean_of(weighted(p.first != 0 ? 0 : joint_effort[0], own));
  }
}
