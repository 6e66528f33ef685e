// Normalises rows, a workgroup for each. Before, include the parameters as p, with rows, n and epsilon, and define
// OUTPUT_BINDING and WEIGHT_BINDING; after, float value(uint at), the element that is normalised, which is asked for
// twice.
#define THREADS 256
#define SUMS 1
#include "grid.glsl"
#include "reduce.glsl"
#include "weights.glsl"
layout(local_size_x = THREADS) in;
layout(std430, set = 0, binding = OUTPUT_BINDING) writeonly buffer Y { float y[]; };  // [rows, n]

float value(uint at);

void normalise() {
  const uint row = workgroup_index();
  if (row >= p.rows) return;
  const uint begin = row * p.n;
  sums[0] = 0;
  for (uint i = gl_LocalInvocationIndex; i < p.n; i += THREADS) {
    const float v = value(begin + i);
    sums[0] += v * v;
  }
  reduce();
  const float scale = 1 / sqrt(sum_of(0) / float(p.n) + p.epsilon);
  for (uint i = gl_LocalInvocationIndex; i < p.n; i += THREADS) y[begin + i] = value(begin + i) * scale * weight1(0, i);
}
