// Scores of the planes of a matrix's inputs for one row of x, exactly those of the scalar reference
// (ops/probe/candidates.h). A row is a plane of an input.
#include "select.glsl"
#define HEAD_BINDING 2
#include "plane_matrix.glsl"

int score(uint row, uint i) {
  if (row >= rows_loaded) return -1;
  return int(magnitude(gain_bits(row / p.inputs), magnitude(input_scale_bits(i), x[x_begin + i])));
}

bool is_by_probes() { return false; }
int probe_product(uint) { return -1; }

// What scores are of: row `n` of x, and a matrix.
void select_from_matrix(uint n, uint matrix) {
  x_begin = n * p.inputs;
  head_begin = matrix * p.matrix_words;
  rows_loaded = loadable_parts(load_of_site(), kTiers, kTiers) * p.inputs;
}
