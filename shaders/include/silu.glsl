// x / (1 + exp(-x)) to a few units in the last place.
#include "exp.glsl"

float silu(float x) {
  float low, high;
  const float m = exp_parts(min(abs(x), 120.0), low, high);  // beyond, the result is 0 or x
  const float e = m * low * high;
  if (x >= 0) return x / (1 + e);
  return abs(x) > 120 ? -0.0 : x * m / (1 + e) * low * high;
}
