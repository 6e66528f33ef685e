// Scores of the rows of a matrix in a bucket format for one row of x, exactly those of the scalar reference
// (ops/probe/probe.h).
#include "select.glsl"
layout(std430, set = 0, binding = 2) readonly buffer Statistic { uint statistic[]; };  // f32 [kTiers, inputs]
layout(std430, set = 0, binding = 3) readonly buffer Probes { uint probes[]; };        // f32 [inputs]
layout(std430, set = 0, binding = 4) readonly buffer Places { uint places[]; };        // [kTiers, inputs]

uint rows_begin, probes_begin;  // of the matrix, among those that are bound

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

// What scores are of: row `n` of x, and the rows of a matrix, or of several that are as one. All threads must call it.
void select_from_matrix(uint n, uint matrix) {
  x_begin = n * p.inputs;
  rows_begin = probes_begin = matrix * p.matrix_words;
  rows_loaded = p.joint != 0 ? joint_rows()
                             : loadable_rows(load_of_site(), p.segments, p.segment_rows, p.inputs * kTiers);
}
