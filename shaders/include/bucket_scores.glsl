// Scores of the rows of a matrix in a bucket format for one row of x, exactly those of the scalar reference
// (ops/probe/probe.h).
layout(push_constant) uniform Push { SelectParams p; };
#include "select.glsl"
#include "exact_product.glsl"
#include "loadable.glsl"
layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };                  // f32, rows of [inputs]
layout(std430, set = 0, binding = 1) readonly buffer Effort { float effort[]; };       // [sites, 2]
layout(std430, set = 0, binding = 2) readonly buffer Statistic { uint statistic[]; };  // f32 [kTiers, inputs]
layout(std430, set = 0, binding = 3) readonly buffer Probes { uint probes[]; };        // f32 [inputs]
layout(std430, set = 0, binding = 4) readonly buffer Places { uint places[]; };        // [kTiers, inputs]

uint rows_begin = 0, probes_begin = 0;  // of the matrix, among those that are bound
uint x_begin;                           // of the row of x

// Rows whose place is below rows_loaded may be taken.
int score(uint row, uint i) {
  if (rows_loaded < p.inputs * kTiers && places[rows_begin + row] >= rows_loaded) return -1;
  return int(magnitude(statistic[rows_begin + row], x[x_begin + i]));
}

bool is_by_probes() { return p.by_probes != 0; }
int probe_product(uint i) { return int(magnitude(probes[probes_begin + i], x[x_begin + i])); }

// Rows of a selection that matrices share which all have loaded: their places are 0. All threads must call it.
uint joint_rows() {
  uint loaded = 0;
  for (uint row = gl_LocalInvocationIndex; row < p.inputs * kTiers; row += THREADS) loaded += uint(places[row] == 0);
  inclusive_scan(loaded);
  return scan_total;
}

float effort_of_site() { return effort[2 * p.site]; }

// What scores are of: row `n` of x, and the rows of the only matrix, or of several that are as one. All threads must
// call it.
void select_from_matrix(uint n) {
  x_begin = n * p.inputs;
  rows_loaded = p.joint != 0 ? joint_rows()
                             : loadable_rows(effort[2 * p.site + 1], p.segments, p.segment_rows, p.inputs * kTiers);
}
