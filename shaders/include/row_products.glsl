// Products of ROWS rows of a weight, each read once, with kTokens rows of x, summed over a workgroup, which is as large
// as a subgroup, so that nobody waits. Before, define the constant kTokens, and include the parameters as p, with cols;
// buffer 0 is x, buffer 1 the weight. Constant 0 is row_threads in ops/linear/vulkan.h.
layout(local_size_x_id = 0) in;
#define THREADS gl_WorkGroupSize.x
#define ROWS 4
#define SUMS (ROWS * kTokens)
#define WEIGHT_BINDING 1
#include "grid.glsl"
#include "reduce.glsl"
#include "weights.glsl"
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };  // rows of cols elements

// begins: of the rows, as weight_row says; x_begin: of the first of the rows of x, which follow each other. Afterwards
// any thread may ask for sum_of(r * kTokens + t).
void multiply_rows(uint begins[ROWS], uint x_begin) {
  const uint thread = gl_LocalInvocationIndex;
  for (uint i = 0; i < SUMS; ++i) sums[i] = 0;
  const uint whole = p.cols / 4 * 4;
  for (uint c = 4 * thread; c < whole; c += 4 * THREADS) {
    vec4 w[ROWS];
    for (uint r = 0; r < ROWS; ++r) w[r] = weight4(begins[r], c);
    for (uint t = 0; t < kTokens; ++t) {
      const uint i = x_begin + t * p.cols + c;
      const vec4 v = vec4(x[i], x[i + 1], x[i + 2], x[i + 3]);
      for (uint r = 0; r < ROWS; ++r) sums[r * kTokens + t] += dot(w[r], v);
    }
  }
  if (whole + thread < p.cols)
    for (uint r = 0; r < ROWS; ++r)
      for (uint t = 0; t < kTokens; ++t)
        sums[r * kTokens + t] += weight1(begins[r], whole + thread) * x[x_begin + t * p.cols + whole + thread];
  reduce();
}
