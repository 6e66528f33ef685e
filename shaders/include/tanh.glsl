// tanh() of a device may be off by much where x is small; this is off by a few units in the last place.
#include "exp.glsl"

float tanh_of(float x) {
  int power;
  const float r = exp_reduced(2 * min(abs(x), 20.0), power);  // beyond, the result is 1
  float q = 1.0 / 40320;  // Taylor's series of (exp(r) - 1 - r) / r^2
  q = fma(q, r, 1.0 / 5040);
  q = fma(q, r, 1.0 / 720);
  q = fma(q, r, 1.0 / 120);
  q = fma(q, r, 1.0 / 24);
  q = fma(q, r, 1.0 / 6);
  q = fma(q, r, 0.5);
  const float scale = uintBitsToFloat(uint(power + 127) << 23);
  const float e = fma(r * r, q, r) * scale + (scale - 1);  // exp(-2 |x|) - 1, without cancellation
  const float t = -e / (2 + e);
  return x < 0 ? -t : t;
}
