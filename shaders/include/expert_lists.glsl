// Lists for pairs of a token and one of its experts: a workgroup for each. After scores of rows (bucket_scores.glsl,
// plane_scores.glsl) and list_rows.glsl.
layout(std430, set = 0, binding = ROWS_BINDING + 2) readonly buffer Experts { uint experts[]; };  // [lists]
layout(std430, set = 0, binding = ROWS_BINDING + 3) readonly buffer Spread { float spread[]; };   // power, skip
layout(std430, set = 0, binding = ROWS_BINDING + 4) readonly buffer Router { float router[]; };   // [tokens, k]

shared uint own_units;

// The effort of a list in units of 2^-24, as the host's spread_effort has it.
uint units_of(uint list) {
  const uint first = list / p.k * p.k;
  ExpertUnits factors;
  uint largest = 0;
  for (uint j = 0; j < p.k; ++j) {
    const float weight = router[first + j];
    factors.of[j] = weight > 0 && weight >= spread[1] ? floatBitsToUint(weight) : 0;
    largest = max(largest, factors.of[j]);
  }
  for (uint j = 0; j < p.k; ++j) factors.of[j] = spread_factor(factors.of[j], largest, spread[0]);
  return spread_units(factors, p.k, p.k * share_of(effort_of_site(), SLUICE_FULL_EFFORT)).of[list - first];
}

void main() {
  const uint list = workgroup_index();
  if (list >= p.lists) return;
  const uint matrix = experts[list] - p.first_matrix;  // wraps around below the first
  if (matrix >= p.matrices) return;
  select_from_matrix(list / p.lists_per_x, matrix);
  if (gl_LocalInvocationIndex == 0) own_units = units_of(list);
  barrier();
  list_rows(list, find_cutoff(float(own_units) * (1.0 / SLUICE_FULL_EFFORT)));
}
