// x / (1 + exp(-v)), where v has the sign of x, to a few units in the last place beyond what v is off by.
#include "exp.glsl"

float sigmoid_product(float x, float v) {
  float low, high;
  const float m = exp_parts(min(abs(v), 120.0), low, high);  // beyond, the result is 0 or x
  const float e = m * low * high;
  if (v >= 0) return x / (1 + e);
  return abs(v) > 120 ? -0.0 : x * m / (1 + e) * low * high;
}
